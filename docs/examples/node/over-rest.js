// The same story over REST, through the gateway: fetch, JSON and a bearer token. With `make run GATEWAY=1` running:
//   node over-rest.js
// Elsewhere than at the usual port: GATEWAY_URL, and MAIL_FOLDER for the mails.

import { randomUUID } from "node:crypto";

import { mailedToken } from "./mailed-token.js";
import { Refused } from "./refused.js";
import { call, pages } from "./rest-client.js";

const PASSWORD = "tulip-orbit-canyon-93-maple";

async function story() {
  const mistaken = await refusal(post("/v1/users:signUp", { email: "ada", password: "secret" }));
  say(`A sign-up is refused: ${mistaken.reason}`);
  for (const [field, what] of Object.entries(mistaken.fields)) say(`  ${field}: ${what}`);

  const ada = await signUp("ada");
  const bo = await signUp("bo");
  say("Ada and Bo sign up, confirm their addresses and sign in");
  const guess = await refusal(post("/v1/sessions", { email: ada.email, password: "not the password" }));
  say(`Another password is refused: ${guess.reason}`);

  // With a request_id a write can be sent again when its answer got lost: it is done once.
  const wanted = { slug: `acme-${randomUUID().slice(0, 8)}`, displayName: "Acme", requestId: randomUUID() };
  const { organization } = await post("/v1/organizations", wanted, ada);
  const again = await post("/v1/organizations", wanted, ada);
  say(`Ada creates an organization; sent twice it is ${organization.etag === again.organization.etag ? "one" : "two"}`);
  const { organizationId } = organization;
  const place = `/v1/organizations/${organizationId}`;
  const taken = await refusal(post("/v1/organizations", { slug: organization.slug }, bo));
  say(`Bo wants the same slug: ${taken.reason}`);

  let project;
  for (const slug of ["api", "web", "docs"]) {
    ({ project } = await post(`${place}/projects`, { slug, requestId: randomUUID() }, ada));
  }
  const invitation = { email: bo.email, role: "ORG_ROLE_MEMBER", requestId: randomUUID() };
  await post(`${place}/invitations`, invitation, ada);
  for await (const { invitationId } of pages("/v1/invitations", { as: bo.token })) {
    await post("/v1/invitations:accept", { invitationId, requestId: randomUUID() }, bo);
  }
  const names = [];
  for await (const each of pages(`${place}/projects`, { query: { pageSize: 2 }, as: bo.token })) names.push(each.slug);
  say(`Bo accepts an invitation and sees ${names.join(", ")}`);

  // A check is one question before something is done. "No" is an answer, not an error.
  const { projectId } = project;
  const question = { organizationId, projectId, permission: "project:update" };
  const mayUpdate = (who) => call("POST", "/v1/access:checkAccess", { body: question, as: who.token, seconds: 1 });
  say(`May Ada change docs? ${inWords(await mayUpdate(ada))}`);
  say(`May Bo? ${inWords(await mayUpdate(bo))}`);
  const docs = `/v1/projects/${projectId}`;
  const denied = await refusal(call("PATCH", docs, { body: { displayName: "Bo's" }, as: bo.token }));
  say(`Bo tries all the same: ${denied.reason}`);
  await post(`${docs}/members/${bo.userId}:setRole`, { role: "PROJECT_ROLE_ADMIN", requestId: randomUUID() }, ada);
  say(`Ada makes Bo its ADMIN. May Bo now? ${inWords(await mayUpdate(bo))}`);

  await post("/v1/sessions:revoke", {}, bo);
  const ended = await refusal(mayUpdate(bo));
  say(`Bo signs out. The very next check: ${ended.reason}`);
}

const post = (path, body, who) => call("POST", path, { body, as: who?.token });

async function signUp(name) {
  const email = `${name}.${randomUUID().slice(0, 8)}@example.com`;
  // Whether the address is free is told by mail alone, to its owner: the answer is {} for everybody.
  await post("/v1/users:signUp", { email, password: PASSWORD, displayName: name, requestId: randomUUID() });
  await post("/v1/users:finishEmailVerification", { token: await mailedToken(email), requestId: randomUUID() });
  // A browser need not see the token: the gateway sets it as a cookie too (docs/gateway.md).
  const { token, session } = await post("/v1/sessions", { email, password: PASSWORD });
  return { email, token, userId: session.userId };
}

/** How a call that must fail was refused. */
async function refusal(answer) {
  try {
    await answer;
  } catch (error) {
    if (error instanceof Refused && error.reason) return error;
    throw error;
  }
  throw new Error("a call went through that must be refused");
}

const inWords = (answer) => `${answer.allowed ? "yes" : "no"}, ${answer.reason}`;
const say = (line) => console.log(line);

try {
  await story();
} catch (error) {
  // Here a program does what fits each reason: SESSION_INVALID signs in anew, THROTTLED tells how long to wait.
  console.error(error instanceof Refused ? `${error.reason || `code ${error.code}`}: ${error.message}` : error);
  if (error.retryAfter) console.error(`try again in ${Math.ceil(error.retryAfter)} s`);
  process.exitCode = 1;
}
