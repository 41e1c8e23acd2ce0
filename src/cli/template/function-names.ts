/** The functions that templates may call: those of Go's text/template, and Docker's own. */
export const functionNames: ReadonlySet<string> = new Set([
  ..."and or not eq ne lt le gt ge len index slice print printf println html js urlquery".split(" "),
  ..."json split join title lower upper pad truncate".split(" "),
]);
