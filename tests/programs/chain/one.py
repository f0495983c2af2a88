from chain import two

assert two
