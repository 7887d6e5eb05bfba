// Reads one JSON command from standard input and answers it with macaroons.js.
//   {"do": "mint", location, identifier, secret, caveats}  -> the token
//   {"do": "check", token, secret}  -> {location, identifier, caveats, holds}
//   {"do": "restrict", token, caveats}  -> the narrowed token
import { readFileSync } from "node:fs";
import macaroons from "macaroons.js";

const { MacaroonsBuilder, MacaroonsVerifier } = macaroons;

function added(builder, caveats) {
  return caveats.reduce((each, caveat) => each.add_first_party_caveat(caveat), builder);
}

function check({ token, secret }) {
  const macaroon = MacaroonsBuilder.deserialize(token);
  const caveats = macaroon.caveatPackets.map((packet) => packet.getValueAsText());
  const verifier = new MacaroonsVerifier(macaroon);
  for (const caveat of caveats) verifier.satisfyExact(caveat);
  const { location, identifier } = macaroon;
  return { location, identifier, caveats, holds: verifier.isValid(secret) };
}

const answers = {
  check,
  mint: ({ location, secret, identifier, caveats }) =>
    added(new MacaroonsBuilder(location, secret, identifier), caveats).getMacaroon().serialize(),
  restrict: ({ token, caveats }) =>
    added(MacaroonsBuilder.modify(MacaroonsBuilder.deserialize(token)), caveats)
      .getMacaroon()
      .serialize(),
};

const command = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(answers[command.do](command)));
