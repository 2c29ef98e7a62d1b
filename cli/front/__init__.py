"""The one address: every service's API below /api/<service>/, described as one. In production an ingress does it."""
