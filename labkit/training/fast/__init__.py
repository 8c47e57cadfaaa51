"""What makes training fast on a CPU and parallel, and changes nothing that is taught."""
