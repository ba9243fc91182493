"""What code may use and still answer the same each time: all else is taken to reach outside.

The standard library is known by name: modules of which everything is pure, and of others the names
that are. A package that is not listed here may read anything.
"""

from __future__ import annotations

import sys


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Modules of Python's own that neither read anything nor change from time to time. What they write
#: does not count.
_MODULES = _words(
    """
    __future__ _thread abc array ast atexit base64 binascii bisect builtins calendar cmath codecs
    collections colorsys concurrent contextlib contextvars copy copyreg ctypes dataclasses datetime
    decimal difflib dis enum errno faulthandler fractions functools gc graphlib hashlib heapq hmac
    html importlib inspect io itertools json keyword logging marshal math multiprocessing numbers
    operator os pathlib pickle pprint queue random re reprlib stat statistics string struct sys
    textwrap threading time token tomllib traceback types typing unicodedata urllib uuid warnings
    weakref zlib zoneinfo
    """
)

#: Of some of them, all that is pure.
_ONLY = {
    "codecs": "encode decode BOM_UTF8 lookup",
    "concurrent": "futures",
    "importlib": "import_module reload util",
    "importlib.util": "find_spec",
    "io": "StringIO BytesIO TextIOWrapper UnsupportedOperation",
    "json": "loads dumps dump JSONEncoder JSONDecoder JSONDecodeError",
    "marshal": "loads dumps dump",
    "multiprocessing": "parent_process freeze_support",
    "os": "path sep altsep linesep pathsep curdir pardir extsep fspath fsencode fsdecode PathLike "
    "chdir makedirs mkdir name rename remove unlink write putenv close fsync kill abort _exit "
    "error",
    "os.path": "join dirname basename abspath realpath normpath normcase split splitext splitdrive "
    "commonpath commonprefix relpath isabs sep pardir curdir",
    "pickle": "loads dumps dump PickleError",
    "sys": "path maxsize float_info int_info hash_info version version_info implementation "
    "hexversion byteorder stdout stderr exit exc_info getsizeof setrecursionlimit intern "
    "getrecursionlimit dont_write_bytecode",
    "time": "sleep strptime mktime struct_time",
    "tomllib": "loads TOMLDecodeError",
    "urllib": "parse",
    "uuid": "uuid3 uuid5 UUID NAMESPACE_DNS NAMESPACE_URL NAMESPACE_OID",
}

#: Methods of a `pathlib.Path` that ask the file system.
PATH_METHODS = _words(
    """
    cwd exists expanduser glob group home is_block_device is_char_device is_dir is_fifo is_file
    is_junction is_mount is_socket is_symlink iterdir lstat owner readlink rglob samefile stat walk
    """
)

#: Of others of them, what is not.
_NOT = {
    "builtins": "open input breakpoint exec eval compile",
    "ctypes": "CDLL PyDLL WinDLL OleDLL cdll pydll windll oledll pythonapi util LibraryLoader "
    "string_at wstring_at memmove",
    "inspect": "getsource getsourcelines getsourcefile getfile getcomments findsource",
    "logging": "config",
    "pathlib.Path": " ".join(PATH_METHODS),
    "pathlib.PosixPath": " ".join(PATH_METHODS),
    "pathlib.WindowsPath": " ".join(PATH_METHODS),
    "threading": "get_ident get_native_id",
}

#: Answers of these change by themselves.
_OF_TIME_AND_CHANCE = frozenset({"time", "timeit", "uuid", "secrets"})

#: Packages whose code reads nothing, apart from functions that are named as readers.
_PACKAGES = _words(
    """
    TA ad arch attr attrs backtesting bigbar bokeh bottleneck cachetools contourpy cycler cython
    cytoolz dateutil empyrical exchange_calendars ffn finta hmmlearn holidays hurst llvmlite
    matplotlib more_itertools mpmath narwhals numba numexpr numpy packaging pandas pandas_ta
    pandas_ta_classic pandas_market_calendars pydantic pykalman pyti pytz pywt ruptures scipy six
    skimage sklearn sortedcontainers statsmodels stockstats sympy ta talib talipp threadpoolctl
    toolz tqdm tulipy typing_extensions tzdata tzlocal
    """
)  # fmt: skip

#: Modules inside those packages that do read, by their beginnings.
_READING_PARTS = (
    "scipy.io", "scipy.datasets", "statsmodels.datasets", "sklearn.datasets", "skimage.io",
    "skimage.data", "numpy.ctypeslib", "numpy.lib.format", "numpy.lib.npyio", "pandas.io.sql",
    "pandas.io.clipboard", "pandas.io.clipboards", "tzlocal",
)  # fmt: skip

#: Functions and methods that read from a file, a network, a database, or the surroundings, of
#: whatever they are.
READERS = _words(
    """
    open urlopen urlretrieve read_text read_bytes fromfile genfromtxt loadtxt fromregex memmap
    open_memmap connect load_model getenv environ environb open_dataset HDFStore ExcelFile
    DataSource read_csv read_parquet read_excel read_json read_pickle read_feather read_sql
    read_hdf read_table read_html read_xml
    """
)

#: Those of them that nothing else has a method of the name of.
PLAIN_PATH_METHODS = PATH_METHODS - _words("cwd glob group home owner stat walk")

#: As `os.path` and others are called from inside.
_REAL_NAMES = {
    "posixpath": "os.path", "ntpath": "os.path", "genericpath": "os.path", "posix": "os",
    "nt": "os", "_io": "io", "_codecs": "codecs", "_random": "random", "_pickle": "pickle",
    "_json": "json", "_datetime": "datetime", "_thread": "threading", "_operator": "operator",
    "_functools": "functools", "_collections": "collections", "_collections_abc": "collections",
    "_bisect": "bisect", "_heapq": "heapq", "_struct": "struct", "_weakref": "weakref",
    "_decimal": "decimal", "_pydecimal": "decimal", "_statistics": "statistics", "_abc": "abc",
    "_hashlib": "hashlib", "_contextvars": "contextvars", "_sre": "re", "_warnings": "warnings",
    "_strptime": "datetime", "_py_abc": "abc",
}  # fmt: skip


def is_pure(path: str) -> bool:
    """Whether what goes by a path from its module on, `os.path.join`, is known to reach nothing.

    Of a module alone: whether there is nothing in it that does.
    """
    top = path.partition(".")[0]
    path = _REAL_NAMES.get(top, top) + path[len(top) :]
    top, *names = path.split(".")
    if top not in sys.stdlib_module_names and top not in sys.builtin_module_names:
        return _of_package(path)
    if top not in _MODULES:
        return False
    known = top
    for name in [*names, ""]:
        if known in _ONLY and name not in _ONLY[known].split():
            return False
        if known in _NOT and (name in _NOT[known].split() or not (name or "." in known)):
            return False
        known += f".{name}"
    return True


def _of_package(path: str) -> bool:
    top, *names = path.split(".")
    if top not in _PACKAGES:
        return False
    if any(f"{path}.".startswith(f"{part}.") for part in _READING_PARTS):
        return False
    return names != ["load"] and not any(
        name in READERS or name.startswith("read_") for name in names
    )


def is_known_package(name: str) -> bool:
    """Whether it is known of a package what of it reads; of Python's own modules it is."""
    top = name.partition(".")[0]
    return top in sys.stdlib_module_names or top in _PACKAGES


def is_changing(path: str) -> bool:
    """Whether it answers differently each time, by the time or by chance."""
    top, *names = path.split(".")
    if top == "os":
        return bool(names) and names[0] in ("getpid", "urandom", "times")
    if top == "datetime" or (names and names[-2:-1] in (["Timestamp"], ["datetime"])):
        return bool(names) and names[-1] in ("now", "utcnow", "today")
    return top in _OF_TIME_AND_CHANCE and not is_pure(path)
