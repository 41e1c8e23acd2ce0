/** Names of containers; those that were given none get a mood and somebody whose work is worth looking up. */
import { randomInt } from "node:crypto";
import { containerError } from "./errors.ts";

const moods = `
agile airy alert amber ample apt astute autumnal balmy blithe bookish brisk bubbly candid careful cheery chirpy civil
clear cobalt composed cordial cosmic crafty crisp dapper daring deft diligent dreamy earnest easygoing ember even fabled
fair fearless fleet fluent frank freckled fresh frosty gallant genial gilded glad gleaming golden graceful hardy hearty
helpful humble inventive ivory jaunty jolly keen kindly lively lofty loyal lucid lunar mellow merry mindful mirthful
misty neat nimble oaken obliging open patient peppy placid playful plucky poised polite prudent quick quiet radiant
rustic sage scarlet serene silvery sincere spry stellar stout sturdy sunny supple tidy tranquil upbeat valiant velvet
verdant vernal warm wistful witty wry zesty
`;

const people = `
abel aiken almeida ampere apgar ayrton babbage banneker bassi bell bernoulli blackwell bohm boole born bose brahe brown
burnell cannon carver cerf chandrasekhar chern clarke codd cori cray curie dalton darwin dijkstra dirac doudna drew
easley eckert edwards elion engelbart erdos euclid euler faraday fermi feynman floyd fourier franklin gallo galois
gauss germain goldberg goodall gosling greene hamilton herschel hertz hodgkin hoare hopper hubble hypatia
jackson jemison johnson joliot kalam kare keller kepler kernighan khwarizmi kilby knuth kovalevskaya lamarr lamport
leavitt liskov lovelace mcclintock meitner mendel mirzakhani mitchell moser napier newton nightingale noether ochoa
pascal pasteur payne perlman planck ptolemy ramanujan ride ritchie rubin sagan sammet shannon shaw sinoussi somerville
stallman tao tesla tharp thompson tu turing vaughan volta wilkes wing wozniak wu yalow yonath zhukovsky
`;

const wordsOf = (text: string): readonly string[] => text.trim().split(/\s+/);
const pick = (words: readonly string[]): string => words[randomInt(words.length)]!;

const allMoods = wordsOf(moods);
const allPeople = wordsOf(people);

/** A name that `isTaken` does not know. */
export const randomName = (isTaken: (name: string) => boolean): string => {
  for (let attempt = 0; ; attempt++) {
    const name = `${pick(allMoods)}_${pick(allPeople)}`;
    // Where thousands of names are taken a number finds a free one; it grows, so that the search ends.
    const numbered = attempt < 8 ? name : `${name}${randomInt(10 ** Math.min(attempt - 7, 9))}`;
    if (!isTaken(numbered)) return numbered;
  }
};

/** The name as it is kept, without the slash that Docker allows before it; throws Docker's sentence for what is no name. */
export const parseName = (text: string): string => {
  const name = text.startsWith("/") ? text.slice(1) : text;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) || name.length > 255) {
    throw containerError("invalidName", { name: name.slice(0, 300) });
  }
  return name;
};
