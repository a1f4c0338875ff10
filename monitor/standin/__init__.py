"""A stand-in for vLLM: the OpenAI API with answers made by rules, and fault knobs per segment.

For demos and tests on machines without a model. What it sends has the shapes of vLLM 0.32; one
contract suite runs against both (tests/real/test_contract.py). Its answers are a pure function of
request, seed and role: `answers.py` writes them, `faults.py` damages them, `server.py` serves them,
`traffic.py` asks for them.
"""
