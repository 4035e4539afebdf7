"""What earlier studies teach a new one."""
