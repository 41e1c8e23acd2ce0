/** For the tests of crashes: loads an archive into a root, as a daemon does, and says so at its end. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { Database } from "../../src/base/database.ts";
import { Images } from "../../src/image/images.ts";

const [root, archive] = process.argv.slice(2) as [string, string];
using database = new Database(join(root, "pier.db"));
const images = await Images.open(root, database);
await images.load(createReadStream(archive));
process.stdout.write("stored\n");
