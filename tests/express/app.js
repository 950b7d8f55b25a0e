// An Express app as people write them: express-session in the table that connect-pg-simple shares with identity.
// Settings: DATABASE_URL, SESSION_SECRETS, MAX_AGE (ms; without it cookies have no age of their own), COOKIE_NAME.
// The port it listens on is the first line it prints; it ends when its standard input does.

const connectPgSimple = require("connect-pg-simple");
const express = require("express");
const session = require("express-session");
const pg = require("pg");

const PgSession = connectPgSimple(session);
const app = express();
let release = () => {};

app.use(
  session({
    store: new PgSession({
      pool: new pg.Pool({ connectionString: process.env.DATABASE_URL }),
      createTableIfMissing: true, // identity's migration was first; it is left as it is
      pruneSessionInterval: false,
    }),
    name: process.env.COOKIE_NAME,
    secret: process.env.SESSION_SECRETS.split(","),
    resave: true, // every request writes the whole session at its end: the hardest case for revocation
    saveUninitialized: false,
    cookie: process.env.MAX_AGE ? { maxAge: Number(process.env.MAX_AGE) } : {},
  }),
);

app.post("/login/:userId", (request, response, next) => {
  request.session.regenerate((error) => {
    if (error) return next(error);
    request.session.userId = request.params.userId;
    // Without save() a write that fails would go unnoticed: the answer is sent before it.
    request.session.save((failed) => (failed ? next(failed) : response.json({ sid: request.sessionID })));
  });
});

// As passport and its OAuth strategies do: an object, with tokens in it.
app.post("/login-with-passport/:userId", (request, response, next) => {
  request.session.passport = { user: { id: request.params.userId, access_token: randomText(20_000) } };
  request.session.save((failed) => (failed ? next(failed) : response.json({ sid: request.sessionID })));
});

app.get("/me", (request, response) => {
  if (!request.session.userId) return response.status(401).json({ userId: null });
  return response.json({ userId: request.session.userId });
});

app.post("/logout", (request, response, next) => {
  request.session.destroy((error) => (error ? next(error) : response.json({})));
});

// Holds the session it has read until somebody calls /release, then writes it.
app.get("/slow", async (request, response) => {
  const userId = request.session.userId ?? null;
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.writeHead(200, { "content-type": "application/json" });
  response.write(" "); // tells the caller that the session has been read
  await new Promise((resolve) => (release = resolve));
  response.end(JSON.stringify({ userId }));
});

app.post("/release", (request, response) => {
  release();
  response.json({});
});

function randomText(length) {
  return require("node:crypto").randomBytes(length / 2).toString("hex");
}

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
