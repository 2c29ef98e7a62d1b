SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#apis",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
});
