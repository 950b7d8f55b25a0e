"""The gateway: Envoy's configuration, made and started; and what is made of the contracts for callers over HTTP."""
