/**
 * Being let in: the answers to a registry's challenges (distribution's token specification, and Basic). A password goes
 * to the registry, or to the realm that it names; never without encryption where the registry has it, never to this
 * machine's own services, never along a redirect.
 */
import { integer, object, parseJson, string } from "../api/shape.ts";
import { isLoopback } from "./addresses.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Target } from "./connection.ts";
import { basicHeader, type Credentials } from "./credentials.ts";
import { registryError } from "./errors.ts";
import { type Endpoint, isInsecure } from "./hosts.ts";
import { reasonOf } from "./reasons.ts";
import { Passing } from "./retry.ts";
import type { RegistrySettings } from "./settings.ts";
import { bodyOf, readAll, type Transport, type WireAnswer } from "./transport.ts";

const tokenShape = object({
  token: string,
  access_token: string,
  refresh_token: string,
  expires_in: integer(0),
});
const maxTokenBytes = 1024 * 1024;
/** How long a token counts that does not say how long. */
const usualSeconds = 60;
/** Before its end a token is not used any more. */
const marginMs = 5_000;

interface Token {
  readonly header: string;
  readonly expires: number;
}

export class Authorizer {
  readonly #transport: Transport;
  readonly #settings: RegistrySettings;
  readonly #credentials: Credentials | undefined;
  /** By endpoint and scopes; none of them outlives what is being done. */
  readonly #tokens = new Map<string, Token>();

  constructor(transport: Transport, settings: RegistrySettings, credentials: Credentials | undefined) {
    this.#transport = transport;
    this.#settings = settings;
    this.#credentials = credentials;
  }

  /** What to send along without having been asked, if anything is known. */
  header(endpoint: Endpoint, scopes: readonly string[]): string | undefined {
    const known = this.#tokens.get(keyOf(endpoint, scopes));
    if (known !== undefined && known.expires - marginMs > performance.now()) return known.header;
    const { registryToken = "" } = this.#credentials ?? {};
    return registryToken === "" || endpoint.isMirror ? undefined : `Bearer ${registryToken}`;
  }

  /** The answer to a 401; undefined when there is none that could help. */
  async answer(
    endpoint: Endpoint,
    scopes: readonly string[],
    refusal: WireAnswer,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const challenges = parseChallenges(refusal.headers.get("www-authenticate") ?? "");
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const token =
      bearer === undefined ? this.#basic(endpoint, challenges) : await this.#token(endpoint, bearer, scopes, signal);
    if (token !== undefined) this.#tokens.set(keyOf(endpoint, scopes), token);
    return token?.header;
  }

  #basic(endpoint: Endpoint, challenges: readonly Challenge[]): Token | undefined {
    const [first] = challenges;
    if (first !== undefined && !challenges.some(({ scheme }) => scheme === "basic")) {
      throw registryError("challengeUnknown", { host: endpoint.host, scheme: first.scheme });
    }
    const own = this.#credentialsFor(endpoint);
    return own === undefined ? undefined : { header: basicHeader(own), expires: Number.POSITIVE_INFINITY };
  }

  /** A mirror is somebody else: the password of the registry is not for it. */
  #credentialsFor(endpoint: Endpoint): Credentials | undefined {
    return endpoint.isMirror ? undefined : this.#credentials;
  }

  async #token(
    endpoint: Endpoint,
    { parameters }: Challenge,
    scopes: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const realm = parameters.get("realm") ?? "";
    const target = realmTarget(realm, endpoint, this.#settings);
    const service = parameters.get("service") ?? "";
    const own = this.#credentialsFor(endpoint);
    const answer =
      own !== undefined && own.identityToken !== ""
        ? await this.#refresh(target, service, scopes, own, signal)
        : await this.#fetch(target, service, scopes, own, signal);
    return await this.#read(answer, endpoint, realm);
  }

  #fetch(
    target: Target,
    service: string,
    scopes: readonly string[],
    own: Credentials | undefined,
    signal: AbortSignal | undefined,
  ): Promise<WireAnswer> {
    const url = new URL(target.url);
    if (service !== "") url.searchParams.set("service", service);
    for (const scope of scopes) url.searchParams.append("scope", scope);
    if (own !== undefined) url.searchParams.set("account", own.username);
    const headers = own === undefined ? {} : { Authorization: basicHeader(own) };
    return this.#transport.send({ ...target, url }, { method: "GET", headers, signal });
  }

  /** OAuth's way (RFC 6749, 6): the token of a login stands for the password. */
  #refresh(
    target: Target,
    service: string,
    scopes: readonly string[],
    { identityToken }: Credentials,
    signal: AbortSignal | undefined,
  ): Promise<WireAnswer> {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      service,
      client_id: "pier",
      scope: scopes.join(" "),
    });
    form.set("refresh_token", identityToken);
    const bytes = Buffer.from(form.toString());
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    return this.#transport.send(target, {
      method: "POST",
      headers,
      body: bodyOf(bytes),
      signal,
    });
  }

  async #read(answer: WireAnswer, endpoint: Endpoint, realm: string): Promise<Token> {
    const bytes = await readAll(answer, "a token", maxTokenBytes);
    if (answer.status >= 500 || answer.status === 429) {
      throw new Passing(
        registryError("refused", {
          host: hostOf(realm),
          status: answer.status,
          what: "the request for a token",
          reason: reasonOf(bytes),
        }),
      );
    }
    if (answer.status !== 200) {
      throw registryError("loginFailed", { host: endpoint.host, reason: `${answer.status} ${reasonOf(bytes)}` });
    }
    const { token, access_token: accessToken, expires_in: seconds } = parseJson(tokenShape, bytes);
    const text = token || accessToken;
    if (!/^[\x21-\x7e]+$/.test(text)) throw registryError("tokenMissing", { realm: hostOf(realm) });
    return { header: `Bearer ${text}`, expires: performance.now() + (seconds || usualSeconds) * 1000 };
  }
}

const keyOf = ({ url }: Endpoint, scopes: readonly string[]): string => `${url.href} ${scopes.join(" ")}`;
const hostOf = (realm: string): string => (URL.canParse(realm) ? new URL(realm).host : realm.slice(0, 200));

/** Where a realm is asked; throws when nothing may be sent there. */
export const realmTarget = (realm: string, endpoint: Endpoint, settings: RegistrySettings): Target => {
  const unsafe = (): Error => registryError("realmUnsafe", { host: endpoint.host, realm: realm.slice(0, 200) });
  if (!URL.canParse(realm)) throw unsafe();
  const url = new URL(realm);
  if (url.username !== "" || url.password !== "") throw unsafe();
  const isSame = url.hostname === endpoint.url.hostname;
  const isEncrypted = url.protocol === "https:";
  if (!isEncrypted && !(url.protocol === "http:" && endpoint.url.protocol === "http:" && isSame)) throw unsafe();
  return {
    url,
    isUnverified: isInsecure(url, settings),
    mayBeOwn: isSame || isLoopback(endpoint.url.hostname),
  };
};
