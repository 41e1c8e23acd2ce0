import { errorsFrom } from "../base/errors.ts";

export const formatErrors = {
  tarInvalidHeader: { status: 400, sentence: "archive/tar: invalid tar header: {reason} (at byte {offset})" },
  tarTruncated: { status: 400, sentence: "unexpected EOF: the tar archive ends inside {where}" },
  tarLimit: { status: 400, sentence: "the tar archive has {what}, the limit is {limit}" },
  tarUnsupported: { status: 400, sentence: "unhandled tar header type {type} ({path})" },
  tarUnwritable: { status: 500, sentence: "cannot write {path} to a tar archive: {reason}" },
  compressedTruncated: { status: 400, sentence: "unexpected EOF: the {format} stream ends early" },
  compressedCorrupt: { status: 400, sentence: "the {format} stream is damaged: {reason}" },
  compressionUnsupported: { status: 400, sentence: "{format} compression is not supported", hint: "use gzip or zstd" },
  frameInvalid: { status: 400, sentence: "unrecognized stream: {value}" },
  frameTruncated: { status: 400, sentence: "unexpected EOF: the stream ends inside a frame" },
  layerPath: { status: 400, sentence: 'invalid entry name "{path}": {reason}' },
  layerWhiteout: { status: 400, sentence: 'invalid whiteout entry "{path}": {reason}' },
  layerConflict: { status: 400, sentence: 'cannot apply the layer\'s entry "{path}": {reason}' },
  layerHardlink: { status: 400, sentence: 'cannot link "{path}" to "{target}": {reason}' },
  layerXattr: { status: 400, sentence: 'cannot set the extended attribute "{name}" of "{path}": {reason}' },
  layerUnsupported: { status: 400, sentence: 'cannot index "{path}": {reason}' },
  layerLimit: { status: 400, sentence: "the layer has {what}, the limit is {limit}" },
  layerMemory: {
    status: 400,
    sentence: "the layer has too many files, names or attributes: its index takes more than {limit} MiB of memory",
  },
  indexInvalid: { status: 500, sentence: "the layer's index is damaged: {reason}" },
  expansion: { status: 400, sentence: "failed to process {word}: {problem}" },
  ignorePattern: { status: 400, sentence: 'illegal exclusion pattern: "{pattern}"' },
  protobuf: { status: 400, sentence: "a message is malformed: {problem}" },
} as const;

export const formatError = errorsFrom(formatErrors);
