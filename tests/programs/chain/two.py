from chain import three

assert three
