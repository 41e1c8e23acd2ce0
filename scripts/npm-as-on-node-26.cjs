// Preloaded into npm: it leaves out optional packages that ask for a newer Node than the machine's, and the native parts
// of our tools are such packages. The tools run on Bun, so the machine's Node does not matter to them.
Object.defineProperty(process, "version", { value: "v26.10.0" });
