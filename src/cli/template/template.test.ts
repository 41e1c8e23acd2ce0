import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dockerType } from "./docker-types.ts";
import { anyFromJson, fromJson, readJson } from "./json.ts";
import { Template } from "./template.ts";
import { Methods, type Value } from "./values.ts";

const answer = readJson(
  JSON.stringify({
    Id: "bb1523",
    Name: "/web",
    State: { Status: "running", Running: true, Pid: 9457, ExitCode: 0 },
    HostConfig: { Binds: null, CapAdd: null, PidsLimit: 7, Memory: 0, RestartPolicy: { Name: "no" } },
    Config: {
      Env: ["A=b", "PATH=/bin"],
      Cmd: ["sh", "-c", "x"],
      Labels: { x: "y", a: "<b>" },
      ExposedPorts: { "80/tcp": {} },
    },
    NetworkSettings: {
      IPAddress: "172.22.0.2",
      Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }] },
      Networks: { bridge: { IPAddress: "172.22.0.2" } },
    },
  }),
);
const typed = fromJson(dockerType("container.InspectResponse"), answer);

/** What a template becomes, or what is wrong with it. */
const fill = (template: string, data: Value = typed, strict = false): string => {
  try {
    return new Template(template).fill(data, { strict });
  } catch (error) {
    return (error as Error).message;
  }
};

const expectAll = (cases: readonly (readonly [template: string, expected: string])[]): void => {
  for (const [template, expected] of cases) assert.equal(fill(template), expected, template);
};

// Every expectation was printed by docker 28.2.2.
describe("a template", () => {
  test("shows fields, by Go's names, also of embedded structs", () => {
    expectAll([
      [
        "{{.ID}} {{.State.Status}} {{.HostConfig.Memory}} {{.NetworkSettings.IPAddress}}",
        "bb1523 running 0 172.22.0.2",
      ],
      ["{{.ContainerJSONBase.Name}} {{(.State).Pid}} {{$.Name}}", "/web 9457 /web"],
      [
        "{{.NetworkSettings.Networks.bridge.IPAddress}} {{.NetworkSettings.Networks.foo.IPAddress}}",
        "172.22.0.2 <no value>",
      ],
    ]);
  });

  test("prints values as Go does", () => {
    expectAll([
      ["{{.HostConfig.Binds}} {{.Config.Env}} {{.Config.Labels}}", "[] [A=b PATH=/bin] map[a:<b> x:y]"],
      ["{{.HostConfig.RestartPolicy}} {{.HostConfig.PidsLimit}} {{.HostConfig.Init}}", "{no 0} 7 <nil>"],
      ["{{.NetworkSettings.Ports}} {{.Config.ExposedPorts}}", "map[80/tcp:[{0.0.0.0 8080}]] map[80/tcp:{}]"],
      ["{{.State}}", "{running true false false false false 9457 0    <nil>}"],
      ["{{index .Config.Labels `zz`}}|{{.Config.Labels.zz}}", "|<no value>"],
    ]);
  });

  test("writes JSON in the order of Go's fields, and leaves out what Go leaves out", () => {
    expectAll([
      ["{{json .HostConfig.RestartPolicy}} {{json .HostConfig.Binds}}", '{"Name":"no","MaximumRetryCount":0} null'],
      ["{{json .Config.Labels}} {{json .State.Health}}", '{"a":"<b>","x":"y"} null'],
      [
        "{{json .State}}",
        '{"Status":"running","Running":true,"Paused":false,"Restarting":false,"OOMKilled":false,"Dead":false,"Pid":9457,"ExitCode":0,"Error":"","StartedAt":"","FinishedAt":""}',
      ],
    ]);
  });

  test("decides, repeats and declares", () => {
    expectAll([
      ["{{if .State.Health}}a{{else if .State.Running}}b{{else}}c{{end}}", "b"],
      ["{{with .State.Health}}{{.Status}}{{else}}none{{end}}", "none"],
      ["{{range $i, $e := .Config.Env}}{{$i}}={{$e}};{{end}}", "0=A=b;1=PATH=/bin;"],
      ["{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} -> {{(index $conf 0).HostPort}}{{end}}", "80/tcp -> 8080"],
      ["{{range .Config.Cmd}}{{if eq . `-c`}}{{continue}}{{end}}{{.}}|{{end}}", "sh|x|"],
      ["{{range .Mounts}}x{{else}}none{{end}}{{range 3}}{{.}}{{end}}", "none012"],
      ["{{$x := 1}}{{range .Config.Cmd}}{{$x = 2}}{{end}}{{$x}}", "2"],
      ["{{with $x := 3}}{{with $y := 4}}{{$x}}{{$y}}{{end}}{{end}}", "34"],
    ]);
  });

  test("trims what stands around it where it is told to", () => {
    expectAll([
      ["a {{- .Name -}}  x  {{- ` y` }}", "a/webx y"],
      ["  {{- /* why */ -}}  {{.Name}}{{/* c */}}", "/web"],
      ["{{- 3 -}} {{-3}}", "3-3"],
    ]);
  });

  test("calls functions", () => {
    expectAll([
      [
        ".{{join .Config.Env `,`}} {{split `a:b` `:`}} {{title `hello wORLD x-y`}} {{upper `straße`}}",
        ".A=b,PATH=/bin [a b] Hello WORLD X-Y STRAßE",
      ],
      ["{{pad `x` 2 3}}|{{pad `` 2 3}}|{{truncate `hello` 3}}|{{slice `hello` 1 3}}", "  x   ||hel|el"],
      ["{{.Name | upper | printf `%s-%d` `x`}}", "x-%!d(string=/WEB)"],
      [
        '{{printf `%-5s|%5s|%05d|%q|%v|%t|%x|%+d|%05s` `a` `b` 42 `q"` 9457 true 255 5 `a`}}',
        'a    |    b|00042|"q\\""|9457|true|ff|+5|0000a',
      ],
      [
        "{{printf `%s`}} {{printf `a` 1}} {{printf `%T %T` .Name .State}}",
        "%!s(MISSING) a%!(EXTRA int=1) string *container.State",
      ],
      ["{{print 1 2 `a` `b` 3}} {{println `a` 3}}", "1 2ab3 a 3\n"],
      ["{{eq 1 2 1}} {{lt `a` `b`}} {{and .Name `x`}} {{or `` 0 3}} {{not .State.Running}}", "true true x 3 false"],
      ["{{len .Config.Env}} {{len `é`}} {{index .Config.Env 1}}", "2 2 PATH=/bin"],
      [`{{html "a'b" 3}} {{urlquery "a b/(x)"}} {{js "<'"}}`, "a&#39;b3 a+b%2F%28x%29 \\u003C\\'"],
    ]);
  });

  test("knows Go's literals", () => {
    expectAll([
      [
        "{{'a'}} {{0x10}} {{1e3}} {{1.50}} {{true}} {{1_000}} {{017}} {{`r`}} {{\"\\t\\u00e9\\x41\"}}",
        "97 16 1000 1.5 true 1000 15 r \téA",
      ],
    ]);
  });

  test("refuses with Go's words and the place", () => {
    expectAll([
      [
        "{{.Foo}}",
        `template: :1:2: executing "" at <.Foo>: can't evaluate field Foo in type container.InspectResponse`,
      ],
      [
        "\n{{.State.Foo}}",
        `template: :2:9: executing "" at <.State.Foo>: can't evaluate field Foo in type *container.State`,
      ],
      [
        "{{.State.Health.Status}}",
        `template: :1:8: executing "" at <.State.Health.Status>: nil pointer evaluating *container.Health.Status`,
      ],
      [
        "{{index .Config.Env 7}}",
        `template: :1:2: executing "" at <index .Config.Env 7>: error calling index: index out of range: 7`,
      ],
      [
        "{{eq 1 `a`}}",
        'template: :1:2: executing "" at <eq 1 `a`>: error calling eq: incompatible types for comparison',
      ],
      ["{{upper 3}}", `template: :1:8: executing "" at <3>: expected string; found 3`],
      [
        "{{upper .State.Pid}}",
        `template: :1:14: executing "" at <.State.Pid>: wrong type for value; expected string; got int`,
      ],
      ["{{upper}}", `template: :1:2: executing "" at <upper>: wrong number of args for upper: want 1 got 0`],
      [
        "{{.Name .ID}}",
        `template: :1:2: executing "" at <.Name>: Name has arguments but cannot be invoked as function`,
      ],
    ]);
  });

  test("is refused where it is none", () => {
    expectAll([
      ["{{.Name", "template: :1: unclosed action"],
      ["{{.Name}", "template: :1: bad character U+007D '}'"],
      ["{{foo}}", 'template: :1: function "foo" not defined'],
      ["{{$x}}", 'template: :1: undefined variable "$x"'],
      ["{{if .Name}}x", "template: :1: unexpected EOF"],
      ["{{if}}x{{end}}", "template: :1: missing value for if"],
      ["{{}}", "template: :1: missing value for command"],
      ["{{end}}", "template: :1: unexpected {{end}}"],
      ['{{"abc}}', "template: :1: unterminated quoted string"],
      ["{{(.Name}}", "template: :1: unclosed left paren"],
      ["{{@}}", 'template: :1: unexpected "@" in command'],
      ["{{.", 'template: :1: illegal number syntax: "."'],
      ["{{range 18446744073709551616}}x{{end}}", 'template: :1: integer overflow: "18446744073709551616"'],
      ["{{-9223372036854775809}}", 'template: :1: integer overflow: "-9223372036854775809"'],
      [
        "{{range 9223372036854775808}}x{{end}}",
        'template: :1:8: executing "" at <9223372036854775808>: 9223372036854775808 overflows int',
      ],
      ["{{.Name | 3}}", "template: :1: non executable command in pipeline stage 2"],
      ["{{break}}", "template: :1: {{break}} outside {{range}}"],
      ["{{/* c", "template: :1: unclosed comment"],
      ["{{define `x`}}a{{end}}", "template: :1: pier's templates have no {{define}}"],
    ]);
  });
});

describe("without types", () => {
  const fillAny = (template: string) => fill(template, anyFromJson(answer), true);

  test("what is missing is an error, and null is no value", () => {
    assert.equal(fillAny("{{.Id}} {{.HostConfig.Binds}} {{json .HostConfig.Binds}}"), "bb1523 <no value> null");
    assert.equal(fillAny("{{.Foo}}"), `template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"`);
  });

  test("numbers stay as they were written", () => {
    assert.equal(
      fill("{{.n}} {{json .}}", anyFromJson(readJson('{"n":1795486715406000001}'))),
      '1795486715406000001 {"n":1795486715406000001}',
    );
  });
});

describe("a row of methods", () => {
  const row = new Methods("*formatter.ContainerContext", {
    ID: () => "1",
    Ports: () => "a->b",
    Label: (name) => `<${name}>`,
  });

  test("is called, with arguments too", () => assert.equal(fill('{{.ID}} {{.Label "x"}}', row), "1 <x>"));
  test("is JSON by name, escaped for HTML as Docker does", () =>
    assert.equal(fill("{{json .}} {{json .Ports}}", row), '{"ID":"1","Ports":"a-\\u003eb"} "a->b"'));
  test("has no other fields", () =>
    assert.equal(
      fill("{{.Foo}}", row),
      `template: :1:2: executing "" at <.Foo>: can't evaluate field Foo in type *formatter.ContainerContext`,
    ));
});
