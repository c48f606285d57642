# Two commands: `make sweep` shows what sweeper does, `make test` holds what it promises.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HERE := not cuda and not cluster and not browser and not tracker and not hub and not notebook and not faults \
	and not commands and not site and not image

.PHONY: help sweep test test-fast test-avx2 test-cuda test-extras ray-test slurm-test image-test faults commands fuzz browser slurm builder lint docs pythons clean

help:
	@echo "make sweep        5 optimizers x 3 seeds on MNIST-1D, no download: an answer in a minute or two"
	@echo "make test         lint, type check and all tests of one machine"
	@echo "make test-fast    the part of the tests that takes a few minutes"
	@echo "make test-avx2    the part that trains, as on a CPU without AVX-512: a minute or two"
	@echo "make test-extras  what needs a browser, Slurm, Ray, a notebook, or a tracker's or the Hub's own library"
	@echo "make slurm-test   sweeps by a real Slurm, a controller and three nodes on this machine: some minutes"
	@echo "make image-test   the Dockerfile's image is built and trains: a quarter of an hour, and up to 20 GB while it builds"
	@echo "make test-cuda    what needs an NVIDIA GPU"
	@echo "make faults       the long forms: kills, damaged files, full disks, signals; a quarter of an hour or more"
	@echo "make commands     every command of the documentation, made small: a quarter of an hour"
	@echo "make fuzz         ten minutes of a fuzzer on the readers of others' files"
	@echo "make docs         the documentation as a site, build/docs/index.html; a broken link is an error; Python 3.11 or later"
	@echo "make pythons      the wheel in an empty environment of each Python here: minutes, and 6 GB for each"
	@echo "make clean        remove the environment and all caches; outputs/ stays"

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

sweep: $(VENV)/.installed
	$(BIN)/python -m sweeper.train -m experiment=grid dataset=mnist1d

test: lint
	$(BIN)/pytest -n auto --dist loadscope -m "$(HERE)" --durations=8

test-fast: $(VENV)/.installed-test
	$(BIN)/pytest -n auto --dist loadscope -m "not slow and $(HERE)"

# Such a CPU is served by other kernels of oneDNN's. They have been wrong, so it may hang or crash. Triton's interpreter
# computes by NumPy, so it has no part. On such a CPU itself `make test` has tried them already.
WITHOUT_AVX512 := engine/test_devices.py engine/test_fuse.py engine/test_fuse_numbers.py engine/test_trace.py \
	engine/kernels models optimizers doctor/test_device_test.py
test-avx2: $(VENV)/.installed-test
	@if [ -r /proc/cpuinfo ] && ! grep -qw avx512f /proc/cpuinfo; then echo "no AVX-512 here: make test is this test"; \
	else set -x; ONEDNN_MAX_CPU_ISA=AVX2 $(BIN)/pytest -n auto --dist loadscope -m "$(HERE)" $(WITHOUT_AVX512:%=tests/%) \
		tests/train/test_command.py::test_cifar10_from_a_tree_of_images \
		--deselect tests/engine/kernels/test_triton.py::test_kernels_in_the_interpreter; fi

faults: $(VENV)/.installed-test
	$(BIN)/pytest tests/faults -m faults -n auto --dist worksteal -rP --durations=8

commands: $(VENV)/.installed-test
	$(BIN)/pytest tests/project/test_every_command.py tests/project/test_pip_commands.py \
		tests/project/test_pairing.py -m commands -n auto --durations=8

$(VENV)/.installed-extras: $(VENV)/.installed-test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,test-extras]'
	touch $@

test-cuda: $(VENV)/.installed-test
	$(BIN)/pytest -m cuda

test-extras: $(VENV)/.installed-extras browser slurm docs
	$(BIN)/pytest -n auto --dist loadscope -m "(cluster and not slow) or browser or tracker or hub or notebook or site" --durations=8

slurm-test: $(VENV)/.installed-extras slurm
	$(BIN)/pytest tests/clusters/test_on_slurm.py -m cluster -rs --durations=0

ray-test: $(VENV)/.installed-extras
	$(BIN)/pytest -m cluster tests/clusters/test_on_ray.py

image-test: $(VENV)/.installed-test builder
	$(BIN)/pytest tests/project/test_image.py -m image -rs --durations=0

# Installed where it is missing and may be; else told in a line.
browser:
	@command -v chromedriver >/dev/null && command -v chromium >/dev/null && command -v pdftotext >/dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update && apt-get -qq install --yes chromium chromium-driver poppler-utils >/dev/null; } \
	|| { echo "the browser tests need chromium, chromedriver and pdftotext: sudo apt-get install chromium chromium-driver poppler-utils" >&2; exit 1; }

# The same; without it those tests are skipped with the reason.
slurm:
	@{ command -v slurmctld && command -v munged; } >/dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends slurm-wlm munge >/dev/null; } \
	|| echo "the Slurm tests need Slurm: sudo apt-get install slurm-wlm munge" >&2

# The same. Without a daemon of Docker's, Buildah upon an empty root does its work.
builder:
	@{ docker info || podman info || { command -v buildah && command -v debootstrap; }; } >/dev/null 2>&1 \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update && apt-get -qq install --yes --no-install-recommends buildah debootstrap >/dev/null; } \
	|| echo "the tests of the image need Docker, Podman, or as root: apt-get install buildah debootstrap" >&2

# Five minutes a reader; what is found lies in crash-* here. New inputs go to a folder that is thrown away.
fuzz: $(VENV)/.installed-test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,fuzz]'
	for reader in run_json metrics_csv; do \
		new=$$(mktemp -d) && $(BIN)/python tests/faults/fuzz_readers.py $$reader $$new tests/faults/corpus/$$reader \
			-max_total_time=300 -print_final_stats=1 -verbosity=0 && rm -r $$new || exit 1; done

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

# Of what the pages are built is made first, in build/pages/.
docs: $(VENV)/.installed-docs
	$(BIN)/python docs/site/pages.py
	$(BIN)/zensical build --strict --clean --config-file build/zensical.toml

pythons: $(VENV)/.installed-test
	$(BIN)/python tests/on_pythons.py "not slow and $(HERE)"

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
