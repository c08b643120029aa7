"""What a program throws at a running Signalbox that a person would not: `make fuzz`."""
