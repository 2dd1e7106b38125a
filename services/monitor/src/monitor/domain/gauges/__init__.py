"""What an operator sees of the whole system, as a pure function of events, books and queues."""
