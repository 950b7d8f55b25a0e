// Tokens as express-session signs them; tests/express/vectors.json is what this prints.

const crypto = require("node:crypto");
const signature = require("express-session/node_modules/cookie-signature");

const secrets = [
  "0".repeat(40),
  "a secret with spaces, dots . and = in it",
  "Schlüssel-密钥-ключ-🔑-and-some-more",
  crypto.createHash("sha256").update("secret").digest("base64"),
];
const sids = Array.from({ length: 14 }, (_, n) =>
  crypto.createHash("sha256").update(`sid ${n}`).digest().subarray(0, 24).toString("base64url"),
).concat(["with.dots.in.it", "x", "sess:42:ümlaut", "-_".repeat(40)]);

const vectors = secrets.flatMap((secret) =>
  sids.map((sid) => ({ secret, sid, token: `s:${signature.sign(sid, secret)}` })),
);
console.log(JSON.stringify(vectors, null, 1));
