// Creates an organization when it is told to, with the example's client. Arguments: identity's address, tenancy's,
// a session's token, a slug, and a request_id or nothing. Prints "connected", then the id of what was created, or
// gRPC's code.

import { call, connect } from "../../docs/examples/node/grpc-client.js";

const [identity, tenancy, token, slug, requestId] = process.argv.slice(2);
const clients = connect(identity, tenancy);
await call(clients.organizations, "listOrganizations", {}, { as: token });
console.log("connected");
for await (const _ of process.stdin);
try {
  const { organization } = await call(clients.organizations, "createOrganization", { slug, requestId }, { as: token });
  console.log(organization.organizationId);
} catch (error) {
  console.log(error.code);
}
for (const client of Object.values(clients)) client.close();
