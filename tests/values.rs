//! Values pushed and pulled: they arrive as they left.

use crate::common::*;

const VALUES: &str = r#"
%target local
import math, dataclasses, datetime, decimal, fractions, collections
@dataclasses.dataclass
class Particle:
    x: float
    tags: list

values = {
    'none': None, 'yes': True, 'big': 3**2000, 'float': 0.1, 'inf': float('inf'), 'minus_zero': -0.0,
    'surrogate': 'a\ud800b', 'bytes': bytes(range(256)), 'nested': {'a': [1, (2, {3})], 'b': {'c': []}},
    'set': {1, 2}, 'frozen': frozenset('ab'), 'tuple': (1,), 'date': datetime.date(2020, 2, 29),
    'decimal': decimal.Decimal('1.10'), 'fraction': fractions.Fraction(1, 3), 'range': range(3),
    'particle': Particle(1.5, ['q']), 'counter': collections.Counter('abca'), 'complex': 1-2j, 'ellipsis': ...,
}
nan = float('nan')
%target all
%push values nan
%pull values as back
%pull nan as nans
@local [v == values for v in back]
@local [math.isnan(v) for v in nans]
@local [str(v['minus_zero']) for v in back]
@0 values['particle'].x + 1
"#;

each_python! {
    fn plain_values_survive_the_journey(home, python) {
        script(home, python, 2, VALUES).expect(0, "[True, True]\n[True, True]\n['-0.0', '-0.0']\n[2.5]\n");
    }

    fn what_cannot_be_pickled_is_named_and_nothing_changes(home, python) {
        let text = "x = 1\n%target local\nimport threading\nx = {'deep': [threading.Lock()]}\n%target all\n%push x\nx\n";
        let finished = home.run(["--python", python, "-n", "2", "--keep-going"], text);
        finished.expect_error(1, &["x", "lock"]);
        assert_eq!(finished.stdout, "[1, 1]\n", "{finished:#?}");
        let finished = home.run(
            ["--python", python, "-n", "2", "--keep-going"],
            "import threading\nlock = threading.Lock()\n%pull lock\n%target local\n'lock' in globals()\n",
        );
        finished.expect_error(1, &["lock"]);
        assert_eq!(finished.stdout, "False\n", "{finished:#?}");
    }

    fn numpy_arrays_and_pandas_frames(home, python) {
        if !has_package(python, "numpy") || !has_package(python, "pandas") {
            return;
        }
        let text = "%target local\nimport numpy as np, pandas as pd\na = np.arange(1_000_000.).reshape(1000, 1000)\nframe = pd.DataFrame({'x': [1, 2], 'y': ['a', None]})\n%push a frame\n%target all\n%push a frame\na[0, 0] = 7\na.sum()\n%pull a as back\n%pull frame as frames\n@local [b.shape == a.shape and b[0, 0] == 7 and (b[1:] == a[1:]).all() for b in back]\n@local [f.equals(frame) for f in frames]\n@local back[0].__setitem__((0, 1), 5)\n";
        let text = text.replacen("%push a frame\n%target all", "%target all", 1);
        let finished = script(home, python, 2, &text);
        assert_eq!(finished.status, Some(0), "{finished:#?}");
        let lines: Vec<&str> = finished.stdout.lines().collect();
        assert!(lines[1].matches("True").count() == 2 && lines[2] == "[True, True]", "{finished:#?}");
    }
}
