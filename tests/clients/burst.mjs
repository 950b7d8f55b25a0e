// Asks many checks at the same moment, each by itself, with the example's client. Arguments: identity's address,
// tenancy's, a session's token, an organization's id, how many. Prints how many were allowed.

import { call, connect } from "../../docs/examples/node/grpc-client.js";

const [identity, tenancy, token, organizationId, count] = process.argv.slice(2);
const clients = connect(identity, tenancy);
const question = { organizationId, permission: "organization:read" };
const asked = Array.from({ length: Number(count) }, () => call(clients.access, "checkAccess", question, { as: token }));
const answers = await Promise.all(asked);
console.log(answers.filter((answer) => answer.allowed).length);
for (const client of Object.values(clients)) client.close();
