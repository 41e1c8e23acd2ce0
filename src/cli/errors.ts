/** What the command line says about words that it cannot use. Docker's wording throughout: people and scripts know it. */
import { errorsFrom } from "../base/errors.ts";

export const cliErrors = {
  // The parser of flags (pflag's wording).
  unknownFlag: { status: 400, sentence: "unknown flag: --{name}" },
  unknownShorthand: { status: 400, sentence: "unknown shorthand flag: '{letter}' in {word}" },
  badFlagSyntax: { status: 400, sentence: "bad flag syntax: {word}" },
  flagNeedsArgument: { status: 400, sentence: "flag needs an argument: {flag}" },
  invalidArgument: { status: 400, sentence: "invalid argument {value} for {flag} flag: {reason}" },

  // Values (Go's wording).
  numberSyntax: { status: 400, sentence: "strconv.{reader}: parsing {text}: invalid syntax" },
  numberRange: { status: 400, sentence: "strconv.{reader}: parsing {text}: value out of range" },
  sizeInvalid: { status: 400, sentence: "invalid size: '{text}'" },
  sizeSuffix: { status: 400, sentence: "invalid suffix: '{suffix}'" },
  durationInvalid: { status: 400, sentence: "time: invalid duration {text}" },
  durationUnitMissing: { status: 400, sentence: "time: missing unit in duration {text}" },
  durationUnitUnknown: { status: 400, sentence: "time: unknown unit {unit} in duration {text}" },
  timeInvalid: {
    status: 400,
    sentence: "failed to parse value as time or duration: {text}",
  },
  csvEmpty: { status: 400, sentence: "EOF" },
  csvBareQuote: { status: 400, sentence: 'parse error on line 1, column {column}: bare " in non-quoted-field' },
  csvQuote: {
    status: 400,
    sentence: 'parse error on line 1, column {column}: extraneous or missing " in quoted-field',
  },
  filterFormat: { status: 400, sentence: "bad format of filter (expected name=value)" },
  referenceInvalid: { status: 400, sentence: "invalid reference format" },
  referenceUpperCase: {
    status: 400,
    sentence: "invalid reference format: repository name ({name}) must be lowercase",
  },
  platformInvalid: {
    status: 400,
    sentence: "{what}{reason}: invalid argument",
  },
  detachKeys: { status: 400, sentence: "invalid detach keys ({keys}): Unknown character: '{part}'" },

  // Commands.
  unknownCommand: { status: 400, sentence: "pier: unknown command: {path}" },
  unknownHelpTopic: { status: 400, sentence: "unknown help topic: {topic}" },
  nothingToUpdate: { status: 400, sentence: "you must provide one or more flags when using this command" },
  wrongCount: { status: 400, sentence: "pier: '{path}' {wanted}" },
  hostInvalid: {
    status: 400,
    sentence: "unable to use the host {host}: pier speaks over unix sockets alone",
    hint: "-H unix:///run/pier/pier.sock",
  },
  notATerminal: { status: 400, sentence: "the input device is not a TTY" },
  inputIsTerminal: { status: 400, sentence: "requested load from stdin, but stdin is empty" },
  emptyName: { status: 400, sentence: "container name cannot be empty" },
  emptyNames: { status: 400, sentence: "Error: Neither old nor new names may be empty" },
  nameIsId: {
    status: 400,
    sentence: "invalid repository name ({name}), cannot specify 64-byte hexadecimal strings",
  },
  notATag: { status: 400, sentence: "Error parsing reference: {name} is not a valid repository/tag: {reason}" },
  tagWithDigest: { status: 400, sentence: "refusing to create a tag with a digest reference" },
  allTagsWithTag: { status: 400, sentence: "tag can't be used with --all-tags/-a" },
  pushDigest: { status: 400, sentence: "cannot push a digest reference" },
  configUnreadable: { status: 400, sentence: "cannot read {path}: {reason}" },
  helperFailed: { status: 400, sentence: "{program}: {reason}" },
  passwordTwice: { status: 400, sentence: "conflicting options: cannot specify both --password and --password-stdin" },
  passwordWithoutName: { status: 400, sentence: "the --password-stdin option requires --username to be set" },
  passwordUnread: { status: 400, sentence: "Error: Cannot perform an interactive login from a non TTY device" },
  typeEmpty: { status: 400, sentence: "type is empty: must be one of {names}" },
  typeUnknown: { status: 400, sentence: "unknown type: {type}: must be one of {names}" },
  explainFormat: { status: 400, sentence: "must be text or json" },
  attachStopped: { status: 400, sentence: "You cannot attach to a stopped container, start it first" },
  attachPaused: { status: 400, sentence: "You cannot attach to a paused container, unpause it first" },
  attachRestarting: { status: 400, sentence: "You cannot attach to a restarting container, wait until it is running" },
  daemonDirectory: { status: 500, sentence: "cannot start a daemon: {path} cannot be made: {reason}" },
  daemonNotStarted: { status: 500, sentence: "the daemon that was started has ended; its log, {log}, ends with:" },
  outputIsTerminal: {
    status: 400,
    sentence: "cowardly refusing to save to a terminal. Use the -o flag or redirect",
  },
  volumeNamedTwice: {
    status: 400,
    sentence: "conflicting options: cannot specify a volume-name through both --name and as a positional arg",
  },
  pruneVolumesUntil: { status: 400, sentence: 'ERROR: The "until" filter is not supported with "--volumes"' },
  addressInvalid: { status: 400, sentence: "invalid IP address: {text}" },
  subnetInvalid: { status: 400, sentence: "invalid CIDR address: {text}" },
  subnetMissing: { status: 400, sentence: "every ip-range or gateway must have a corresponding subnet" },
  subnetForeign: { status: 400, sentence: "no matching subnet for {kind} {text}" },
  subnetTwice: { status: 400, sentence: "cannot configure multiple {kind} on the same subnet {subnet}" },
  pruneCancelled: { status: 400, sentence: "{what} prune has been cancelled" },
  startAndAttach: { status: 400, sentence: "you cannot start and attach multiple containers at once" },
  noRemoteContext: {
    status: 501,
    sentence: "{path}: pier does not fetch build contexts yet",
    hint: "clone it, and build the directory",
  },
  doubleInput: { status: 400, sentence: "can't use stdin for both build context and dockerfile" },
  noContext: { status: 400, sentence: 'unable to prepare context: path "{path}" is no directory' },
  secretWithoutId: { status: 400, sentence: 'invalid secret "{given}": it needs an id' },
} as const;

export const cliError = errorsFrom(cliErrors);
