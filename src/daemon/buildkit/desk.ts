/** Where BuildKit's clients come: one for each daemon, because a build and its session come on connections of their own. */
import type { Services } from "../services.ts";
import { Control } from "./control.ts";
import { Sessions } from "./session.ts";

export class BuildKitDesk {
  readonly sessions = new Sessions();
  readonly control: Control;

  constructor(services: Pick<Services, "builds" | "id">) {
    this.control = new Control(services, this.sessions);
  }
}
