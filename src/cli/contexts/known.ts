/** The contexts of a command: those that are stored, and the default one, which is what words and environment say. */
import { defaultContext, defaultHost, type Place } from "../host.ts";
import { tlsOf } from "../remote.ts";
import {
  type Certificates,
  type Context,
  DOCKER,
  encodeJson,
  getContext,
  listContexts,
  placesOf,
  readCertificates,
} from "./store.ts";

export class Known {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  get(name: string): Context {
    return name === defaultContext ? this.#default() : getContext(name);
  }

  certificates(name: string): Certificates {
    if (name !== defaultContext) return readCertificates(name);
    const tls = tlsOf(this.#place, process.env);
    return tls === undefined ? {} : { [DOCKER]: tls.files };
  }

  /** All that there is to say of one, as JSON: what `inspect` shows. */
  describe(name: string): string {
    const inMemory = { metadata: "<IN MEMORY>", tls: "<IN MEMORY>" };
    const { metadata: MetadataPath, tls: TLSPath } = name === defaultContext ? inMemory : placesOf(name);
    const certificates = Object.entries(this.certificates(name));
    const TLSMaterial = Object.fromEntries(certificates.map(([endpoint, files]) => [endpoint, Object.keys(files)]));
    return encodeJson({ ...this.get(name), TLSMaterial, Storage: { MetadataPath, TLSPath } });
  }

  all(): readonly Context[] {
    return [...listContexts(), this.#default()];
  }

  #default(): Context {
    const endpoint = {
      Host: defaultHost(this.#place, process.env),
      SkipTLSVerify: tlsOf(this.#place, process.env)?.isVerified === false,
    };
    return { Name: defaultContext, Metadata: {}, Endpoints: { [DOCKER]: endpoint } };
  }
}
