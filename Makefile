# `make book` builds the book, `make test` runs every test. Nothing else is needed on a machine with Python 3.11+ and make.

PYTHON ?= python3
BIN := .venv/bin
# TORCH_INDEX=URL, of an index with PyTorch's CPU wheels for Linux: an environment without the CUDA libraries
TORCH_INDEX ?=
# pip's own settings; a shared cache is fine, a user's site packages are not
export PYTHONNOUSERSITE := 1

.PHONY: book pdf doctor quick test test-long bench notebooks lab assignment grade picture lock clean

book: .venv/installed ## execute what changed and render to _build/html
	@$(BIN)/unlearning build

pdf: book ## the whole book as one PDF, in _build/html/book.pdf; needs any Chromium
	@$(BIN)/unlearning pdf

doctor: ## what this machine has, what is missing, and the command that mends it; installs nothing
	@PYTHONPATH=lib $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m unlearning doctor

# Files that run chapters, servers or browsers in their own process, longest first: a process each. The others share three
# processes, because importing what they import (torch, pandas, the kernels) costs two seconds of every process. Grading and
# assignments have one, because their sandboxes count the processes that are left over.
APART := smoke hostile sweep pages build grading assignments readme installed walls
# and those that train ensembles of their own: not in the inner loop
TRAIN := plan score trial frozen estimates packing paper_preset shards starts stopped theory_weights results

quick: .venv/installed ## the fast tests, under a minute: no browser, no book, no training, nothing marked slow
	@$(BIN)/python -m pytest -m "not slow and not browser and not hostile" -k "not glued" \
	  $(foreach name,$(APART) $(TRAIN),--ignore tests/test_$(name).py)

test: .venv/installed ## at least one case of all that is tested, two processes at a time; browser tests need any Chromium
	@{ printf 'tests/test_%s.py\n' $(filter-out assignments,$(APART)) | sed 's|_grading.py|& tests/test_assignments.py|'; \
	  ls tests/test_*.py | grep -vE '_($(subst $() ,|,$(APART)))\.py$$' | xargs -n 24; } \
	  | xargs -L 1 -P 2 $(BIN)/python -m pytest -n 0 -m "not long"

test-long: .venv/installed ## the rest: more cases of the same kinds, among them the other chapters by the real runner
	@$(BIN)/python -m pytest -m long $$(grep -lF mark.long tests/test_*.py)

bench: .venv/installed ## speed as side-by-side ratios, one JSON line per figure
	@for file in bench/*.py; do $(BIN)/python $$file || exit 1; done

notebooks: .venv/installed ## every chapter as .ipynb in notebooks/, for papermill or Jupyter
	@$(BIN)/unlearning notebooks notebooks

lab: .venv/installed ## JupyterLab that shows the chapters' admonitions and references; then .venv/bin/jupyter lab notebooks
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --no-build-isolation --editable '.[lab]'

assignment: .venv/installed ## NAME=a2 [ROSTER=roster.csv]: an assignment's versions, in assignments/a2
	@$(BIN)/unlearning assignment $(NAME) $(if $(ROSTER),--roster $(ROSTER))

grade: .venv/installed ## NAME=a2 SUBMISSIONS=dir [ROSTER=roster.csv]: points, reasons and one page, in grades/a2
	@$(BIN)/unlearning grade $(NAME) $(SUBMISSIONS) $(if $(ROSTER),--roster $(ROSTER))

picture: ## the README's picture, from the first page of the built book
	@$(BIN)/python -c "from unlearning.build.single import overview; print(overview())"

lock: ## compile requirements.txt from pyproject.toml (needs uv)
	uv pip compile --universal --fork-strategy fewest --python-version 3.11 --extra book --extra test \
	  --no-annotate --custom-compile-command "make lock" -q pyproject.toml -o requirements.txt

clean: ## remove what was built; notebooks/, runs/ and the environment stay (rm -rf .venv removes that one)
	rm -rf _build

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $(PYTHON) is older: make PYTHON=python3.12 book"; exit 1; }
	@echo "creating the environment in .venv, once: downloads about 3 GB on Linux (4 min at 100 Mbit/s), takes 6 GB of disk;"
	@echo "executing all chapters then takes about 3 minutes on two idle cores and downloads nothing. What is missing: make doctor"
	$(PYTHON) -m venv .venv
ifdef TORCH_INDEX
	@sed -E '/^(nvidia-|cuda-|triton)/d; s/^(torch|torchvision)==([^ ;]+)/\1==\2+cpu/' requirements.txt > .venv/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --extra-index-url $(TORCH_INDEX) -r .venv/requirements.txt
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
endif
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "the command is .venv/bin/unlearning; 'source .venv/bin/activate' makes it 'unlearning'"
