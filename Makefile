# Everything runs from here, in virtual environments that are made as they are needed.
# A machine needs Python 3.10 or later, git and make. `make` alone lists the targets.
#
#   PYTHON=python3.12   the interpreter that the virtual environments are made with
#   CORE=2.16           a certain ansible-core instead of the newest that the interpreter takes
#   VENV=.venv-2.16     the virtual environment to use (give it its own name together with CORE)
#   WORKERS=3           how many tests run at a time
#   TESTS=tests/unit    which tests `make pytest` runs
#   PYTEST_ARGS, SANITY_ARGS, MUTATION_ARGS   more arguments for pytest, ansible-test sanity and
#                       tests/tools/mutation.py

PYTHON ?= python3
CORE ?=
VENV ?= .venv
LINT_VENV ?= .venv-lint
PEER_VENV ?= .venv-peer
MUTATION_VENV ?= .venv-mutation
DOCS_VENV ?= .venv-docs
PAGE_VENV ?= .venv-page
EE_VENV ?= .venv-ee
PACKAGE_VENV ?= .venv-package
NOX_VENV ?= .venv-nox
EDA_VENV ?= .venv-eda
# One more than the cores of a small machine: a test waits for what it has started.
WORKERS ?= 3
LAB_ARGS ?= --inventory .cache/lab/inventory.yml --lifetime 3600
PYTEST_ARGS ?=
# The long ones first, so that both workers end at the same time.
TESTS ?= tests/integration tests/machine tests/lab_tests tests/unit
SANITY_ARGS ?=
MUTATION_ARGS ?=

SHELL := /bin/sh
.SUFFIXES:
.DEFAULT_GOAL := help

cache := $(CURDIR)/.cache
package := ansible_collections.mailedge.lockdown
linked := $(cache)/ansible_collections/mailedge/lockdown
copy := $(cache)/copy/ansible_collections/mailedge/lockdown
core := ansible-core$(if $(CORE),~=$(CORE).0)
# Bytecode is written as it is imported: most of what is installed never is.
pip_install := -m pip install --quiet --quiet --disable-pip-version-check --no-compile
# What foreign judges say is the same on every Python and ansible-core.
judges := $(if $(filter .venv,$(VENV)),-r requirements-judges.txt)
# Also where the environment says that none is to be written: without it, half of what a test
# process does is to compile. In one place, so that the work tree holds none.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(cache)/bytecode
# Tools that start other tools (ansible-test, antsibull-docs, the tests) find them by PATH.
in_venv = PATH="$(CURDIR)/$(1)/bin:$$PATH"
from_repository := PYTHONPATH="$(cache)" ANSIBLE_COLLECTIONS_PATH="$(cache)"
# One test at a time for each worker: a share that is dealt out beforehand may hold all the long
# ones.
run_tests = $(call in_venv,$(VENV)) $(from_repository) \
  $(VENV)/bin/python -m pytest -q -n $(WORKERS) --maxschedchunk 1 $(PYTEST_ARGS)

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' \
	  $(firstword $(MAKEFILE_LIST))

# ---------------------------------------------------------------- virtual environments and places

new-enough:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "$(PYTHON) is older than Python 3.10. Name a newer one: make PYTHON=python3.12 ..."; \
	  exit 1; }

$(VENV)/.ready: requirements.txt requirements-psrp.txt requirements-test.txt \
  requirements-judges.txt | new-enough
	@echo "Installing what the lab and the tests need into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python $(pip_install) '$(core)' -r requirements-test.txt $(judges)
	@touch $@

$(LINT_VENV)/.ready: requirements.txt requirements-psrp.txt requirements-test.txt \
  requirements-lint.txt | new-enough
	@echo "Installing what the static checks need into $(LINT_VENV) ..."
	@$(PYTHON) -m venv $(LINT_VENV)
	@$(LINT_VENV)/bin/python $(pip_install) -r requirements-lint.txt
	@touch $@

$(PEER_VENV)/.ready: requirements-peer.txt | new-enough
	@echo "Installing the collection that is compared with into $(PEER_VENV) ..."
	@$(PYTHON) -m venv $(PEER_VENV)
	@$(PEER_VENV)/bin/python $(pip_install) -r requirements-peer.txt
	@touch $@

$(MUTATION_VENV)/.ready: requirements-mutation.txt | new-enough
	@echo "Installing what makes mutants into $(MUTATION_VENV) ..."
	@$(PYTHON) -m venv $(MUTATION_VENV)
	@$(MUTATION_VENV)/bin/python $(pip_install) -r requirements-mutation.txt
	@touch $@

$(DOCS_VENV)/.ready: requirements-docs.txt | new-enough
	@echo "Installing what builds the documentation into $(DOCS_VENV) ..."
	@$(PYTHON) -m venv $(DOCS_VENV)
	@$(DOCS_VENV)/bin/python $(pip_install) -r requirements-docs.txt
	@touch $@

$(PAGE_VENV)/.ready: requirements-page.txt | new-enough
	@echo "Installing what looks at a report's page into $(PAGE_VENV) ..."
	@$(PYTHON) -m venv $(PAGE_VENV)
	@$(PAGE_VENV)/bin/python $(pip_install) -r requirements-page.txt
	@touch $@

$(EE_VENV)/.ready: requirements-ee.txt | new-enough
	@echo "Installing what looks at execution environments into $(EE_VENV) ..."
	@$(PYTHON) -m venv $(EE_VENV)
	@$(EE_VENV)/bin/python $(pip_install) -r requirements-ee.txt
	@touch $@

$(PACKAGE_VENV)/.ready: requirements-package.txt | new-enough
	@echo "Installing what looks at the package into $(PACKAGE_VENV) ..."
	@$(PYTHON) -m venv $(PACKAGE_VENV)
	@$(PACKAGE_VENV)/bin/python $(pip_install) -r requirements-package.txt
	@touch $@

$(NOX_VENV)/.ready: requirements-nox.txt | new-enough
	@echo "Installing antsibull-nox and reuse into $(NOX_VENV) ..."
	@$(PYTHON) -m venv $(NOX_VENV)
	@$(NOX_VENV)/bin/python $(pip_install) -r requirements-nox.txt
	@touch $@

$(EDA_VENV)/.ready: requirements.txt requirements-psrp.txt requirements-test.txt \
  requirements-eda.txt | new-enough
	@echo "Installing what runs the rulebook into $(EDA_VENV) ..."
	@$(PYTHON) -m venv $(EDA_VENV)
	@$(EDA_VENV)/bin/python $(pip_install) '$(core)' -r requirements-eda.txt
	@touch $@

peer: $(PEER_VENV)/.ready ## install the vendor's FortiGate collection, to compare with

link: ## make the repository importable, as .cache/ansible_collections/mailedge/lockdown
	@$(PYTHON) tests/tools/tree.py link $(cache) >/dev/null

copy: ## bring the copy that the linters look at in step with the work tree
	@$(PYTHON) tests/tools/tree.py copy $(cache)/copy >/dev/null

.PHONY: help new-enough peer link copy

# ---------------------------------------------------------------- the lab

demo: $(VENV)/.ready installed ## an open site is locked, proven, re-opened, caught, rolled back
	@cd $(cache)/demo && $(call in_venv,$(VENV)) \
	  PYTHONPATH="$(cache)/demo" ANSIBLE_COLLECTIONS_PATH="$(cache)/demo" \
	  $(CURDIR)/$(VENV)/bin/python -m $(package).tests.lab.demo

lab: $(VENV)/.ready link ## start a small site on loopback and print its inventory (LAB_ARGS="...")
	@mkdir -p $(cache)/lab
	@$(call in_venv,$(VENV)) $(from_repository) $(VENV)/bin/python -m $(package).tests.lab $(LAB_ARGS)

bench: $(VENV)/.ready peer link ## what a run costs beside the same work done another way
	@set -e; peer=$(CURDIR)/$(PEER_VENV)/bin/python; \
	export MAILEDGE_PEER_PYTHON="$${MAILEDGE_PEER_PYTHON:-$$peer}"; \
	for file in tests/bench/bench_*.py; do \
	  name=$$(basename "$$file" .py); echo "== $$name"; \
	  $(call in_venv,$(VENV)) $(from_repository) $(VENV)/bin/python -m $(package).tests.bench.$$name; \
	done

# Opt-in, and the only target that reaches a controller. The token comes by the environment
# (TOKEN=... make awx URL=...), or is taken from make's command line into it; no recipe prints it.
awx: export TOKEN := $(TOKEN)
awx: $(VENV)/.ready link ## docs/awx on a real AWX, twice: make awx URL=https://... LIMIT=site
	@test -n "$(URL)" || { echo "Which controller? make awx URL=https://..."; exit 1; }
	@$(call in_venv,$(VENV)) $(from_repository) \
	  $(VENV)/bin/python -m $(package).tests.awx "$(URL)" --limit "$(LIMIT)"

.PHONY: demo lab bench awx

# ---------------------------------------------------------------- tests

# What takes long, and what depends on the core's minor version, is for .ci/run, which has all
# cores. The tests run beside the static checks: installations wait for the network, and a linter
# keeps one core busy. They are a make of their own, so that what they say is seen at once.
test: ## every check that is quick: what a change must pass
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target \
	  quick-beside lint ansible-lint docs-lint galaxy

quick-beside: $(VENV)/.ready link
	@$(MAKE) --no-print-directory --output-sync=none quick

check: sanity test ## `make test` and ansible-test sanity

# Of what is searched by chance a part, unless HYPOTHESIS_PROFILE says otherwise, as .ci/run does.
quick: $(VENV)/.ready link
	@HYPOTHESIS_PROFILE="$${HYPOTHESIS_PROFILE:-quick}" \
	  $(run_tests) -m "not long and not forks" $(TESTS)

pytest: $(VENV)/.ready link ## unit, lab and integration tests (PYTEST_ARGS="-k receive")
	@$(run_tests) $(TESTS)

unit: $(VENV)/.ready link ## unit tests alone, which need no running lab
	@$(run_tests) tests/unit

lab-tests: $(VENV)/.ready link ## tests of the lab itself
	@$(run_tests) tests/lab_tests

integration: $(VENV)/.ready link ## integration tests alone
	@$(run_tests) tests/integration

machine: $(VENV)/.ready link ## long stories, two runs at once (MAILEDGE_EXAMPLES=200)
	@$(run_tests) tests/machine

firewalls: $(VENV)/.ready link ## ten thousand random firewalls, and foreign judges: hours
	@MAILEDGE_EXAMPLES="$${MAILEDGE_EXAMPLES:-10000}" $(run_tests) -m "not long" \
	  tests/machine/test_random_fortigates.py tests/machine/test_foreign_judges.py

# The settings of the other tests need what this environment does not have.
page: $(PAGE_VENV)/.ready link ## a report's page in the machine's Chromium; pictures in .cache/page
	@$(from_repository) $(PAGE_VENV)/bin/python -m pytest -q --confcutdir tests/page \
	  $(PYTEST_ARGS) tests/page

# No part of any other target, because it needs a Java.
eda: $(EDA_VENV)/.ready link ## the rulebook in a real ansible-rulebook: events, and what runs
	@$(call in_venv,$(EDA_VENV)) $(from_repository) $(EDA_VENV)/bin/python -m pytest -q \
	  --confcutdir tests/eda $(PYTEST_ARGS) tests/eda

# In a copy of its own, because the code is changed there. Minutes, so no part of any other target.
mutation: $(VENV)/.ready $(MUTATION_VENV)/.ready link ## what the unit tests notice
	@$(PYTHON) tests/tools/tree.py copy $(cache)/mutation >/dev/null
	@$(from_repository) $(MUTATION_VENV)/bin/python -m $(package).tests.tools.mutation \
	  --python $(CURDIR)/$(VENV)/bin/python $(MUTATION_ARGS) \
	  $(cache)/mutation/ansible_collections/mailedge/lockdown

# Only the interpreter of the virtual environment: ansible-test would otherwise look for every
# Python that it knows. In a copy of its own, because it writes there, and `make copy` removes what
# git does not track.
# In a copy for each environment, so that two may run at a time.
sanity: $(VENV)/.ready ## ansible-test sanity (SANITY_ARGS="--test pep8")
	@$(PYTHON) tests/tools/tree.py copy $(cache)/sanity$(VENV) >/dev/null
	@cd $(cache)/sanity$(VENV)/ansible_collections/mailedge/lockdown && $(call in_venv,$(VENV)) \
	  ansible-test sanity --color no --truncate 0 $(SANITY_ARGS) \
	  --python "$$($(CURDIR)/$(VENV)/bin/python -c \
	    'import sys; print("%d.%d" % sys.version_info[:2])')"

.PHONY: test quick quick-beside check pytest unit lab-tests integration machine firewalls
.PHONY: page eda mutation sanity

# ---------------------------------------------------------------- static checks

# Each of them keeps one core busy at most, so two run at a time, and so do the installations that
# they wait for.
static: ## the checks that start no test: lint, ansible-lint, docs-lint, ee, galaxy
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint ansible-lint docs-lint ee galaxy

lint: $(LINT_VENV)/.ready link ## ruff, mypy, yamllint, changelog fragments, shell syntax
	@$(LINT_VENV)/bin/ruff check --quiet .
	@$(LINT_VENV)/bin/ruff format --quiet --check .
	@$(from_repository) $(LINT_VENV)/bin/mypy --no-error-summary \
	  -p $(package).plugins -p $(package).tests
	@$(LINT_VENV)/bin/yamllint --strict .
	@cd $(linked) && $(call in_venv,$(LINT_VENV)) antsibull-changelog lint
	@bash -n .ci/run
	@echo "lint: clean"

format: $(LINT_VENV)/.ready ## let ruff put the Python files in form
	@$(LINT_VENV)/bin/ruff format --quiet .
	@$(LINT_VENV)/bin/ruff check --quiet --fix .

ansible-lint: $(LINT_VENV)/.ready copy ## roles and playbooks by ansible-lint's production profile
	@cd $(copy) && $(call in_venv,$(LINT_VENV)) ANSIBLE_COLLECTIONS_PATH="$(cache)/copy" \
	  ansible-lint --offline --nocolor --strict -q
	@echo "ansible-lint: clean"

docs-lint: $(LINT_VENV)/.ready copy ## documentation of modules and roles by antsibull-docs
	@cd $(copy) && $(call in_venv,$(LINT_VENV)) ANSIBLE_COLLECTIONS_PATH="$(cache)/copy" \
	  antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=all .
	@echo "docs-lint: clean"

# Every warning is an error, an unknown reference among them. Only the owner may write to the
# folder: antsibull-docs asks for that. In a copy of its own, so that it may run beside other
# checks.
docs: $(DOCS_VENV)/.ready link ## the documentation site, and its picture of a report
	@$(from_repository) $(DOCS_VENV)/bin/python -m $(package).tests.tools.picture
	@$(PYTHON) tests/tools/tree.py copy $(cache)/docs-copy >/dev/null
	@rm -rf $(cache)/docs && mkdir -p -m 755 $(cache)/docs $(cache)/docs/rst
	@cd $(cache)/docs && $(call in_venv,$(DOCS_VENV)) \
	  PYTHONPATH= ANSIBLE_COLLECTIONS_PATH="$(cache)/docs-copy" \
	  antsibull-docs collection --use-current --squash-hierarchy --fail-on-error \
	  --no-add-antsibull-docs-version --dest-dir rst mailedge.lockdown
	@cp -r docs/docsite/conf.py docs/docsite/rst/images $(cache)/docs/rst/docsite/.
	@mv $(cache)/docs/rst/docsite/conf.py $(cache)/docs/rst/
	@PYTHONPATH="$(cache)/docs-copy" $(DOCS_VENV)/bin/python -m $(package).tests.tools.unverified \
	  $(cache)/docs/rst/docsite/unverified.rst
	@$(DOCS_VENV)/bin/sphinx-build -q -W --keep-going -n -T -j 2 -b html \
	  $(cache)/docs/rst $(cache)/docs/html
	@echo "docs: $(cache)/docs/html/index.html"

# The image itself is built where there is a container engine.
ee: $(EE_VENV)/.ready copy ## the execution environment and its requirements, by ansible-builder
	@$(EE_VENV)/bin/ansible-builder introspect --sanitize $(cache)/copy >$(cache)/ee.yml
	@for needed in pywinrm pypsrp netaddr dnspython msal krb5-libs; do \
	  grep -q "'$$needed.*from collection mailedge.lockdown'" $(cache)/ee.yml || { \
	  echo "An execution environment would lack $$needed: see meta/ee-*.txt."; exit 1; }; done
	@$(EE_VENV)/bin/ansible-builder create --context $(cache)/ee \
	  --file docs/awx/execution-environment.yml >/dev/null
	@echo "ee: clean"

docs-generate: $(VENV)/.ready link ## write the generated parts of the documentation
	@$(from_repository) $(VENV)/bin/python -m $(package).tests.tools.documentation

.PHONY: static lint format ansible-lint docs-lint docs docs-generate ee

# ---------------------------------------------------------------- the package

build: $(VENV)/.ready copy ## build the collection into dist/
	@rm -rf dist && mkdir dist
	@cd $(copy) && $(call in_venv,$(VENV)) \
	  ansible-galaxy collection build --force --output-path $(CURDIR)/dist

installed: build
	@rm -rf $(cache)/demo
	@$(call in_venv,$(VENV)) ANSIBLE_COLLECTIONS_PATH="$(cache)/demo" \
	  ansible-galaxy collection install --offline --force -p $(cache)/demo \
	  dist/mailedge-lockdown-*.tar.gz >/dev/null

galaxy: $(VENV)/.ready installed ## build, install and verify the collection; read its documentation
	@cd $(cache)/demo && export ANSIBLE_COLLECTIONS_PATH="$(cache)/demo" && \
	  export $(call in_venv,$(VENV)) && \
	  ansible-galaxy collection verify --offline mailedge.lockdown && \
	  modules=$$(ansible-doc -t module --list mailedge.lockdown | awk '{print $$1}') && \
	  ansible-doc -t module --json $$modules >/dev/null && \
	  ansible-doc -t role --list mailedge.lockdown
	@echo "galaxy: built, installed and verified"

# galaxy-importer goes on after what it warns of, so that its words are looked at as well. In a copy
# of its own, as above, and with nothing of this repository but the package.
package: $(PACKAGE_VENV)/.ready $(NOX_VENV)/.ready ## as a registry sees it, and licences
	@$(NOX_VENV)/bin/reuse lint --quiet || $(NOX_VENV)/bin/reuse lint
	@$(call in_venv,$(NOX_VENV)) antsibull-nox lint-config
	@$(PYTHON) tests/tools/tree.py copy $(cache)/package-copy >/dev/null
	@rm -rf $(cache)/package && mkdir -p $(cache)/package
	@cd $(cache)/package-copy/ansible_collections/mailedge/lockdown && \
	  $(call in_venv,$(PACKAGE_VENV)) \
	  ansible-galaxy collection build --output-path $(cache)/package >/dev/null
	@cd $(cache)/package && $(call in_venv,$(PACKAGE_VENV)) \
	  GALAXY_IMPORTER_CONFIG=$(CURDIR)/.ci/galaxy-importer.cfg \
	  python -m galaxy_importer.main mailedge-lockdown-*.tar.gz >log 2>&1 || { cat log; exit 1; }
	@! grep -E '^(WARNING|ERROR)' $(cache)/package/log
	@echo "package: imported; every file has its licence"

changelog: $(LINT_VENV)/.ready link ## turn the fragments into the version's release notes
	@cd $(linked) && $(call in_venv,$(LINT_VENV)) antsibull-changelog release
	@rm -f changelogs/.plugin-cache.yaml

clean: ## remove everything that the targets above have made
	rm -rf .cache .venv .venv-* dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .ansible \
	  tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: build installed galaxy package changelog clean
