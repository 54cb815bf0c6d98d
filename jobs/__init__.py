"""Everything that runs or touches the world: streaming and batch jobs, stores, local services, the command line."""
