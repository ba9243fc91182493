"""What code reads that is not in the bars: in a source, and in code that has none."""

import ast

import pytest

from bigbar.store.code_objects import reached_from
from bigbar.store.modules import Modules
from bigbar.store.outside import outside_calls, outside_paths

READS = [
    ("import configparser", "configparser.ConfigParser().read('x.ini')"),
    ("from configparser import ConfigParser", "ConfigParser().read('x.ini')"),
    ("import linecache", "linecache.getline('x', 1)"),
    ("import runpy", "runpy.run_path('x.py')"),
    ("import pkgutil", "pkgutil.get_data('p', 'x')"),
    ("import importlib.resources", "importlib.resources.files('p')"),
    ("from importlib import resources", "resources.files('p')"),
    ("import importlib.metadata", "importlib.metadata.version('p')"),
    ("import os", "os.path.exists('x')"),
    ("import os.path", "os.path.getmtime('x')"),
    ("from os.path import isfile", "isfile('x')"),
    ("from os import path as p", "p.getsize('x')"),
    ("import os", "os.stat('x')"),
    ("import os as system", "system.listdir('.')"),
    ("from os import scandir", "scandir('.')"),
    ("import os", "os.walk('.')"),
    ("import os", "os.popen('x')"),
    ("import os", "os.getlogin()"),
    ("import os", "os.cpu_count()"),
    ("import os", "getattr(os, 'stat')('x')"),
    ("import os", "getattr(os, 'st' + 'at')('x')"),
    ("import os", "list(map(os.path.exists, ['x']))"),
    ("import os", "[one.stat for one in [os]]"),
    ("import glob", "glob.glob('*')"),
    ("from glob import iglob", "iglob('*')"),
    ("import shelve", "shelve.open('x')"),
    ("import dbm", "dbm.whichdb('x')"),
    ("import csv", "csv.reader(['x'])"),
    ("import zipfile", "zipfile.ZipFile('x')"),
    ("import tarfile", "tarfile.TarFile('x')"),
    ("import gzip", "gzip.GzipFile('x')"),
    ("import bz2", "bz2.BZ2File('x')"),
    ("import lzma", "lzma.LZMAFile('x')"),
    ("import tomllib", "tomllib.load(None)"),
    ("import xml.etree.ElementTree as tree", "tree.parse('x')"),
    ("import sqlite3", "sqlite3.Connection('x')"),
    ("import urllib.request", "urllib.request.Request('x')"),
    ("import http.client", "http.client.HTTPConnection('x')"),
    ("import socket", "socket.gethostname()"),
    ("import ftplib", "ftplib.FTP('x')"),
    ("import locale", "locale.getlocale()"),
    ("import platform", "platform.node()"),
    ("import getpass", "getpass.getuser()"),
    ("import tempfile", "tempfile.gettempdir()"),
    ("import shutil", "shutil.disk_usage('.')"),
    ("import filecmp", "filecmp.cmp('x', 'y')"),
    ("import fileinput", "fileinput.input('x')"),
    ("import io", "io.open('x')"),
    ("import io", "io.FileIO('x')"),
    ("import codecs", "codecs.open('x')"),
    ("import mmap", "mmap.mmap(0, 1)"),
    ("import ctypes", "ctypes.CDLL('x')"),
    ("import winreg", "winreg.OpenKey(None, 'x')"),
    ("import subprocess", "subprocess.run('x')"),
    ("import sys", "sys.argv[1]"),
    ("import sys", "sys.stdin.readline()"),
    ("import sys", "sys.modules['os']"),
    ("import pathlib", "pathlib.Path('x').exists()"),
    ("from pathlib import Path", "Path('x').read_text()"),
    ("from pathlib import Path", "list(Path('x').iterdir())"),
    ("from pathlib import Path", "Path.home()"),
    ("from pathlib import Path", "Path('x').stat().st_size"),
    ("import builtins", "builtins.open('x')"),
    ("", "open('x')"),
    ("", "list(map(open, ['x']))"),
    ("", "input()"),
    ("", "eval('x')"),
    ("", "exec('x')"),
    ("", "__import__('os').listdir('.')"),
    ("import json", "json.load(None)"),
    ("import pickle", "pickle.load(None)"),
    ("import pandas as pd", "pd.read_csv('x')"),
    ("import pandas as pd", "pd.read_fwf('x')"),
    ("from pandas import read_stata", "read_stata('x')"),
    ("import pandas as pd", "pd.HDFStore('x')"),
    ("import numpy as np", "np.fromfile('x')"),
    ("import numpy as np", "np.memmap('x')"),
    ("import numpy as np", "np.loadtxt('x')"),
    ("import numpy as np", "np.genfromtxt('x')"),
    ("from numpy import load", "load('x')"),
    ("import numpy", "getattr(numpy, 'load')('x')"),
    ("import scipy.io", "scipy.io.loadmat('x')"),
    ("import joblib", "joblib.load('x')"),
    ("import pyarrow.parquet as pq", "pq.read_table('x')"),
    ("import requests", "requests.get('x')"),
    ("import random", "random.random()"),
    ("import time", "time.time()"),
    ("from time import monotonic_ns", "monotonic_ns()"),
    ("from datetime import datetime", "datetime.now()"),
    ("import datetime", "datetime.date.today()"),
    ("import pandas as pd", "pd.Timestamp.now()"),
    ("import uuid", "uuid.uuid4()"),
    ("import secrets", "secrets.randbelow(3)"),
]

PURE = [
    ("import os", "os.path.join('a', os.sep)"),
    ("import os", "os.path.dirname(os.path.abspath('x'))"),
    ("import os, sys", "sys.path.insert(0, os.path.dirname('x'))"),
    ("import os", "os.makedirs('x')"),
    ("from pathlib import Path", "str(Path('x').resolve().parent / 'y')"),
    ("import io", "io.StringIO('x')"),
    ("import json", "json.loads('1')"),
    ("import math", "math.floor(1.5)"),
    ("from math import sqrt", "sqrt(2)"),
    ("import itertools, functools, collections", "collections.deque(itertools.count())"),
    ("import logging", "logging.getLogger('x').info('y')"),
    ("import warnings", "warnings.simplefilter('ignore')"),
    ("import re", "re.match('x', 'x').group(0)"),
    ("import datetime", "datetime.timedelta(days=1)"),
    ("from datetime import time", "time(9, 30)"),
    ("import numpy as np", "np.random.default_rng(7).normal()"),
    ("import numpy as np", "np.where(np.array([1]) > 0, 1, 2)"),
    ("import pandas as pd", "pd.Series([1]).rolling(2).mean()"),
    ("import scipy.stats as st", "st.norm.cdf(1.0)"),
    ("import talib", "getattr(talib, 'S' + 'MA')([1.0])"),
    ("from backtesting.lib import crossover", "crossover([1], [2])"),
    ("from backtesting.test import SMA", "SMA([1], 1)"),
    ("import decimal", "decimal.Decimal(1)"),
]


def in_a_source(imported: str, used: str) -> list[str]:
    text = f"{imported}\ndef used():\n    return {used}\n"
    return [said for _, said in outside_calls(ast.parse(text), Modules().is_installed)]


def _in_code(text: str) -> list[str]:
    namespace: dict = {"__name__": "typed_in"}
    code = compile(text, "<typed>", "exec")
    function = code.co_consts[0]
    try:
        exec(code, namespace)
    except ImportError:  # A package that is not here: it is known by its name alone.
        return ["not here"]
    known = Modules()
    reached = reached_from(namespace.get("used", function), inside=lambda name: name == "typed_in")
    return list(outside_paths(reached.paths, reached.names, known.is_installed))


def in_code(imported: str, used: str) -> list[str]:
    """Of a function that was typed in, its import before it."""
    text = f"def used():\n    return {used}\n{imported}\n"
    return _in_code(text)


def in_its_own_import(imported: str, used: str) -> list[str]:
    return _in_code(f"def used():\n    {imported}\n    return {used}\n")


WAYS = [in_a_source, in_code, in_its_own_import]


@pytest.mark.parametrize(("imported", "used"), READS)
def test_whatever_reads_is_noticed(imported, used):
    for told in WAYS:
        assert told(imported, used), told.__name__


@pytest.mark.parametrize(("imported", "used"), PURE)
def test_what_reaches_nothing_is_not(imported, used):
    for told in WAYS:
        assert told(imported, used) in ([], ["not here"]), told.__name__


def test_what_a_helper_passes_on_is_noticed():
    def told(text: str) -> list[str]:
        return [said for _, said in outside_calls(ast.parse(text), Modules().is_installed)]

    reads = ["reads what is not in the bars (os.stat)"]
    assert told("from helper import *\nX = os.stat('x')") == reads
    assert told("from helper import os\nX = os.stat('x')") == reads
    assert told("import helper\nX = helper.os.stat('x')")
    assert told("import os\nsystem = os\nX = system.listdir('.')")
    assert told("import helper\nX = helper.mean([1])") == []
    assert told("class A:\n    def next(self):\n        self.walk(self.glob)") == []


def test_a_package_that_is_not_known_may_read():
    said = in_a_source("import pytest", "pytest.approx(1)")
    assert said == ["uses a package that may read what is not in the bars (pytest)"]
