"""`tenantry users import`: read another system's export, send it in batches, go on after an interruption."""
