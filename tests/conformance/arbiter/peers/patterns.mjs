// Reads [[pattern, path], …] from standard input and answers for each true, false, or null where
// path-to-regexp does not take the pattern.
import { readFileSync } from "node:fs";
import toRegExp from "path-to-regexp";

function fits([pattern, path]) {
  try {
    return toRegExp(pattern).test(path);
  } catch {
    return null;
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(fits)));
