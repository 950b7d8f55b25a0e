// Shows /openapi.json. Calls go to the gateway that this page came from.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  requestInterceptor: (request) => {
    // What makes a write with the session cookie one of this page, and not of somebody else's.
    request.headers["x-requested-with"] = "docs";
    return request;
  },
});
