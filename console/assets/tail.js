// The live tail. It comes with the page of the tail.
