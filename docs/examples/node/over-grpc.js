// The story over gRPC, straight to both services. With `make run` running, in this folder:
//   npm ci && node over-grpc.js
// Elsewhere than at the usual ports: IDENTITY_ADDRESS, TENANCY_ADDRESS, and MAIL_FOLDER for the mails.

import { randomUUID } from "node:crypto";

import { call, connect, pages } from "./grpc-client.js";
import { mailedToken } from "./mailed-token.js";
import { Refused } from "./refused.js";

const PASSWORD = "tulip-orbit-canyon-93-maple";
const { IDENTITY_ADDRESS = "127.0.0.1:50051", TENANCY_ADDRESS = "127.0.0.1:50052" } = process.env;
const clients = connect(IDENTITY_ADDRESS, TENANCY_ADDRESS);
const { users, sessions, organizations, invitations, projects, projectMembers, access } = clients;

async function story() {
  const mistaken = await refusal(call(users, "signUp", { email: "ada", password: "secret" }));
  say(`A sign-up is refused: ${mistaken.reason}`);
  for (const [field, what] of Object.entries(mistaken.fields)) say(`  ${field}: ${what}`);

  const ada = await signUp("ada");
  const bo = await signUp("bo");
  say("Ada and Bo sign up, confirm their addresses and sign in");
  const guess = await refusal(call(sessions, "createSession", { email: ada.email, password: "not the password" }));
  say(`Another password is refused: ${guess.reason}`);

  // With a request_id a write can be sent again when its answer got lost: it is done once.
  const wanted = { slug: `acme-${randomUUID().slice(0, 8)}`, displayName: "Acme", requestId: randomUUID() };
  const { organization } = await call(organizations, "createOrganization", wanted, { as: ada.token });
  const again = await call(organizations, "createOrganization", wanted, { as: ada.token });
  say(`Ada creates an organization; sent twice it is ${organization.etag === again.organization.etag ? "one" : "two"}`);
  const { organizationId, slug } = organization;
  const taken = await refusal(call(organizations, "createOrganization", { slug }, { as: bo.token }));
  say(`Bo wants the same slug: ${taken.reason}`);

  let project;
  for (const name of ["api", "web", "docs"]) {
    const request = { organizationId, slug: name, requestId: randomUUID() };
    ({ project } = await call(projects, "createProject", request, { as: ada.token }));
  }
  const { projectId } = project;
  const invitation = { organizationId, email: bo.email, role: "ORG_ROLE_MEMBER", requestId: randomUUID() };
  await call(invitations, "createInvitation", invitation, { as: ada.token });
  for await (const { invitationId } of pages(invitations, "listMyInvitations", {}, { as: bo.token })) {
    await call(invitations, "acceptInvitation", { invitationId, requestId: randomUUID() }, { as: bo.token });
  }
  const names = [];
  for await (const each of pages(projects, "listProjects", { organizationId, pageSize: 2 }, { as: bo.token })) {
    names.push(each.slug);
  }
  say(`Bo accepts an invitation and sees ${names.join(", ")}`);

  // A check is one question before something is done. "No" is an answer, not an error.
  const question = { organizationId, projectId, permission: "project:update" };
  const mayUpdate = (who) => call(access, "checkAccess", question, { as: who.token, seconds: 1 });
  say(`May Ada change docs? ${inWords(await mayUpdate(ada))}`);
  say(`May Bo? ${inWords(await mayUpdate(bo))}`);
  const change = { project: { projectId, displayName: "Bo's" }, updateMask: { paths: ["display_name"] } };
  const denied = await refusal(call(projects, "updateProject", change, { as: bo.token }));
  say(`Bo tries all the same: ${denied.reason}`);
  const role = { projectId, userId: bo.userId, role: "PROJECT_ROLE_ADMIN", requestId: randomUUID() };
  await call(projectMembers, "setProjectRole", role, { as: ada.token });
  say(`Ada makes Bo its ADMIN. May Bo now? ${inWords(await mayUpdate(bo))}`);

  await call(sessions, "revokeSession", {}, { as: bo.token });
  const ended = await refusal(mayUpdate(bo));
  say(`Bo signs out. The very next check: ${ended.reason}`);
}

async function signUp(name) {
  const email = `${name}.${randomUUID().slice(0, 8)}@example.com`;
  // Whether the address is free is told by mail alone, to its owner: the answer is {} for everybody.
  await call(users, "signUp", { email, password: PASSWORD, displayName: name, requestId: randomUUID() });
  await call(users, "finishEmailVerification", { token: await mailedToken(email), requestId: randomUUID() });
  // Who has a second factor gets a `challenge` here instead of a token, and calls again with it and a code.
  const { token, session } = await call(sessions, "createSession", { email, password: PASSWORD });
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
} finally {
  for (const client of Object.values(clients)) client.close();
}
