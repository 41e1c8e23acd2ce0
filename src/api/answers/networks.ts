/** What pier answers of networks, with Docker's own names (API 1.51). */
import type { Texts } from "../types.ts";

/** `GET /networks/{id}` */
export interface NetworkAnswer {
  readonly Name: string;
  readonly Id: string;
  readonly Created: string;
  readonly Scope: string;
  readonly Driver: string;
  readonly EnableIPv4: boolean;
  readonly EnableIPv6: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: Texts | null;
    readonly Config:
      | readonly {
          readonly Subnet?: string;
          readonly IPRange?: string;
          readonly Gateway?: string;
          readonly AuxiliaryAddresses?: Texts;
        }[]
      | null;
  };
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly ConfigOnly: boolean;
  readonly Containers: Readonly<
    Record<
      string,
      {
        readonly Name: string;
        readonly EndpointID: string;
        readonly MacAddress: string;
        readonly IPv4Address: string;
        readonly IPv6Address: string;
      }
    >
  >;
  readonly Options: Texts;
  readonly Labels: Texts;
}
