/** What can go wrong with images, in Docker's words where it has some. */
import { errorsFrom } from "../base/errors.ts";

export const imageErrors = {
  // Names: the wording of distribution/reference and go-digest.
  invalidReference: { status: 400, sentence: "invalid reference format" },
  upperCaseReference: {
    status: 400,
    sentence: "invalid reference format: repository name ({name}) must be lowercase",
  },
  upperCaseName: { status: 400, sentence: "repository name must be lowercase" },
  nameTooLong: { status: 400, sentence: "repository name must not be more than {limit} characters" },
  hexadecimalName: {
    status: 400,
    sentence: "invalid repository name ({name}), cannot specify 64-byte hexadecimal strings",
  },
  invalidTag: { status: 400, sentence: 'invalid tag "{tag}"' },
  invalidDigest: { status: 400, sentence: "invalid checksum digest {problem}" },
  unsupportedDigest: { status: 400, sentence: "unsupported digest algorithm: {digest}" },
  ambiguousTag: {
    status: 400,
    sentence: "refusing to create an ambiguous tag using digest algorithm as name",
  },
  digestTag: { status: 400, sentence: "refusing to create a tag with a digest reference" },

  // Finding.
  noSuchImage: { status: 404, sentence: "No such image: {name}" },
  ambiguousId: { status: 400, sentence: "multiple IDs found with provided prefix: {prefix}" },

  // Removing: the wording of moby's daemon/images/image_delete.go.
  conflictName: {
    status: 409,
    sentence:
      'conflict: unable to remove repository reference "{name}" (must force) - container {container} is using its referenced image {image}',
  },
  conflictForced: { status: 409, sentence: "conflict: unable to delete {image} (must be forced) - {reason}" },
  conflictHard: { status: 409, sentence: "conflict: unable to delete {image} (cannot be forced) - {reason}" },

  // Archives and what is in them.
  notAnArchive: {
    status: 400,
    sentence: "invalid image archive: it has neither a manifest.json nor an OCI layout",
    hint: "pier import takes the tar of a root file system",
  },
  archiveMember: { status: 400, sentence: "invalid image archive: {member} {problem}" },
  archiveLimit: { status: 400, sentence: "the image archive has {what}, the limit is {limit}" },
  invalidDocument: { status: 400, sentence: "invalid {document}: {reason}" },
  layersMismatch: {
    status: 400,
    sentence: "invalid manifest, layers length mismatch: expected {expected}, got {found}",
  },
  digestMismatch: { status: 400, sentence: "{what} does not match its digest: expected {expected}, got {found}" },
  sizeMismatch: { status: 400, sentence: "{what} has {found} bytes, and its descriptor says {expected}" },
  diffIdMismatch: {
    status: 400,
    sentence: 'invalid diffID for layer {position}: expected "{expected}", got "{found}"',
  },
  unsupportedMediaType: { status: 400, sentence: "unsupported media type of {what}: {mediaType}" },
  otherSystem: { status: 400, sentence: "cannot load {os} image on linux" },
  noMatchingManifest: { status: 404, sentence: "no matching manifest for {platform} in the manifest list entries" },
  wrongPlatform: {
    status: 404,
    sentence:
      "image with reference {name} was found but its platform ({has}) does not match the specified platform ({asked})",
  },
  otherPlatform: {
    status: 404,
    sentence: "image with reference {name} was found but does not provide the specified platform ({asked})",
  },
  pushDigest: { status: 400, sentence: "cannot push a digest reference" },
  noSuchTag: { status: 404, sentence: "An image does not exist locally with the tag: {name}" },
  nothingToSave: { status: 400, sentence: "no image was named that could be saved" },
  tagWithAllTags: { status: 400, sentence: "tag can't be used with --all-tags/-a" },
  noPlatform: { status: 400, sentence: "no image for {platform} in the archive" },
  tooManyLayers: { status: 400, sentence: "max depth exceeded: the image has {count} layers, the limit is {limit}" },
  layerLimit: { status: 400, sentence: "the layer has more than {limit} bytes, unpacked" },
  noSpace: {
    status: 500,
    sentence: "no space left on device: storing the layer would leave less than {reserve} bytes free in {path}",
  },
  missingLayer: { status: 500, sentence: "the layer {diffId} is not stored" },

  // Import, and the changes that it and commit apply.
  invalidChange: { status: 400, sentence: "{change} is not a valid change command" },
  changeArguments: { status: 400, sentence: "{instruction} {problem}" },
  importDigest: { status: 400, sentence: "cannot import digest reference" },
} as const;

export const imageError = errorsFrom(imageErrors);

/** What is wrong with an instruction of `--change`. */
export const changeError = (instruction: string, problem: string): Error =>
  imageError("changeArguments", { instruction, problem });
