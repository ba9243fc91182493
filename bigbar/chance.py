"""Names by which code answers otherwise the next time: chance, the clock, the surroundings."""

#: Names in a function's code after which its answer may be another the next time. What is meant by
#: them in one place does not matter: taking them for chance only costs time.
CHANCE = frozenset(
    {
        *("random", "rand", "randn", "randint", "random_sample", "random_state", "default_rng"),
        *("RandomState", "Generator", "seed", "shuffle", "permutation", "choice", "choices"),
        *("sample", "normal", "uniform", "getrandbits", "urandom", "secrets", "uuid1", "uuid4"),
        *("now", "today", "utcnow", "perf_counter", "monotonic", "process_time", "time_ns"),
        *("environ", "getenv", "urlopen", "requests"),
    }
)

#: Modules of which nothing is the same twice.
MODULES_OF_CHANCE = frozenset({"random", "secrets", "time", "uuid"})
