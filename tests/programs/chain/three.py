from chain import four

assert four
