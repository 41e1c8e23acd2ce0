/** What can go wrong between us and a registry, in Docker's words where people know them. */
import { errorsFrom } from "../base/errors.ts";

export const registryErrors = {
  // The way there.
  hostUnreachable: { status: 500, sentence: "cannot reach {host}: {reason}" },
  hostForbidden: {
    status: 403,
    sentence: "{what} at {host} leads to {address}, where only this machine's own services are",
  },
  certificateInvalid: {
    status: 500,
    sentence: "the certificate of {host} cannot be trusted: {reason}",
    hint: "put its authority's certificate at /etc/pier/certs.d/{host}/ca.crt, or start pier daemon --insecure-registry {host}",
  },
  notEncrypted: {
    status: 500,
    sentence: "{host} gave an HTTP response to an HTTPS request",
    hint: "pier daemon --insecure-registry {host}",
  },
  certificateFiles: { status: 500, sentence: "cannot use the certificates in {directory}: {reason}" },
  stalled: { status: 504, sentence: "{host} sends nothing any more" },
  answerCut: { status: 502, sentence: "{host} ended its answer early" },
  proxyRefused: { status: 502, sentence: "the proxy {proxy} answered {status} when asked for {host}" },
  tooManyRedirects: { status: 502, sentence: "{host} redirects again and again" },
  redirectUnsafe: { status: 502, sentence: "{host} redirects to {target}, which is not encrypted" },

  // What a registry answers.
  refused: { status: 500, sentence: "{host} answered {status} to {what}: {reason}" },
  tooManyRequests: { status: 429, sentence: "toomanyrequests: {reason}" },
  notFound: { status: 404, sentence: "{what} not found: {reason}" },
  accessDenied: {
    status: 404,
    sentence:
      "{action} access denied for {repository}, repository does not exist or may require 'docker login': {reason}",
  },
  pushDenied: { status: 401, sentence: "denied: {reason}: push to {repository} needs 'docker login'" },
  loginFailed: { status: 401, sentence: "login attempt to {host} failed: {reason}" },
  challengeUnknown: { status: 401, sentence: "{host} asks for a way to log in that pier does not know: {scheme}" },
  realmUnsafe: {
    status: 403,
    sentence: "{host} wants the password sent to {realm}, which is neither encrypted nor the registry itself",
  },
  tokenMissing: { status: 502, sentence: "{realm} answered without a token" },
  documentTooLarge: { status: 502, sentence: "{what} has more than {limit} bytes" },
  contentEncoded: { status: 502, sentence: "{host} sends {what} in the encoding {encoding}, which nobody asked for" },
  schemaOne: {
    status: 400,
    sentence: "the manifest of {what} is of schema 1, which nobody takes any more: its image must be pushed anew",
    hint: "skopeo copy --format v2s2 docker://{name} docker://{name}",
  },
  digestLied: { status: 502, sentence: "{host} says that {what} is {said}, and it is {found}" },
  rangeLied: { status: 502, sentence: "{host} was asked for {what} from byte {from} on, and sends another part" },
  blobTooLong: { status: 502, sentence: "{host} sends more of {what} than its {size} bytes" },
  blobTooShort: { status: 502, sentence: "{host} has less of {what} than its {size} bytes" },
  uploadLost: { status: 502, sentence: "{host} does not say where an upload goes on" },
  uploadRefused: { status: 502, sentence: "{host} stored {what} as {found}" },
  noV1: { status: 501, sentence: "{host} has no search: it answers {status} to /v1/search", hint: "open its web page" },

  // What comes with a request.
  authMalformed: { status: 400, sentence: "invalid {header} header: {reason}" },

  // Settings.
  badMirror: {
    status: 400,
    sentence: "{text} is no mirror",
    hint: "pier daemon --registry-mirror [REGISTRY=]https://HOST",
  },
  badInsecure: {
    status: 400,
    sentence: "{text} is neither a registry nor a range of addresses",
    hint: "pier daemon --insecure-registry HOST[:PORT]",
  },
  badProxy: { status: 400, sentence: "{variable} is no proxy: {text}", hint: "export {variable}=http://HOST:PORT" },
} as const;

export const registryError = errorsFrom(registryErrors);
