"""The commands of `tenantry`, one file for each noun or verb."""
