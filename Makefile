# Inkling. `make help` lists the targets; each does its own set-up.

.DEFAULT_GOAL := help
.PHONY: help demo serve-demo test test-fast lint format lock fuzz firmware train export bench-codec bench-adaptive \
	bench-answers bench-accuracy bench-gateways bench-general bench-receiver bench-goodput bench-device bench-preview \
	bench-store bench-soak bench-decode results clean

EMULATOR := gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm
RISCV := gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc
COMPILER := gcc g++ libc6-dev
TFLM := libstdc++-arm-none-eabi-newlib
BROKER := mosquitto
FUZZER := clang-14 libclang-rt-14-dev
BROWSER := chromium
CONFIG ?= configs/cifar10.toml
NAME := $(basename $(notdir $(CONFIG)))
ARGS ?=
BUNDLES ?=
MINUTES ?= 30
# Emulated boards mostly wait, so that more workers than cores pay.
WORKERS ?= 4

# A bundle of your own may need the data set of its training, and that torchvision: the large environment.
DEMO = python=$$(scripts/python.sh requirements/demo.txt) && "$$python"
SERVE = python=$$(scripts/python.sh requirements/serve.txt) && "$$python"
DEV = python=$$(scripts/python.sh requirements/dev.txt) && "$$python"

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: ## CIFAR-10 images through an emulated STM32 over a noisy line (ARGS=--help lists options)
	@scripts/apt.sh $(EMULATOR)
	@case "$(ARGS)" in *--bundle*) $(DEV) -m benchmarks.demo $(ARGS);; *) $(DEMO) -m benchmarks.demo $(ARGS);; esac

serve-demo: ## 20 nodes, 3 gateways, a broker, 2 decoders and the page, without hardware (ARGS=--help lists options)
	@scripts/apt.sh $(COMPILER) mosquitto
	@$(SERVE) -m benchmarks.serve_demo $(ARGS)

test: lint ## all checks and all tests, those on emulated boards included
	@scripts/apt.sh $(EMULATOR) $(TFLM) $(RISCV) $(COMPILER) $(FUZZER) $(BROKER) $(BROWSER)
	@$(DEV) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-fast: ## tests without emulated boards and training: under 2 minutes
	@scripts/apt.sh $(COMPILER) $(BROKER) $(BROWSER)
	@$(DEV) -m pytest -n $(WORKERS) --dist worksteal -m "not emulated and not training and not slow" $(ARGS)

lint: ## ruff, mypy, import-linter, clang-format, cppcheck
	@scripts/apt.sh cppcheck
	@$(DEV) -m ruff check . && "$$python" -m ruff format --check . && "$$python" -m mypy && \
		"$$(dirname "$$python")/lint-imports" && scripts/lint_c.sh "$$(dirname "$$python")/clang-format"

format: ## format all Python and C
	@$(DEV) -m ruff check --fix-only . && "$$python" -m ruff format . && \
		git ls-files '*.c' '*.h' '*.cpp' | xargs "$$(dirname "$$python")/clang-format" -i

lock: ## renew requirements/host.txt, firmware.txt, demo.txt and serve.txt, with hashes, from pyproject.toml and dev.txt
	@python=$$(scripts/python.sh requirements/dev.txt) && scripts/lock.sh "$$python"

fuzz: ## fuzz the firmware and the receiver for MINUTES (30) each; findings are kept in build/fuzz
	@scripts/apt.sh $(COMPILER) $(FUZZER)
	@$(DEV) -m tests.fuzz --minutes $(MINUTES) $(ARGS)

firmware: ## build the firmware for emulated boards and as a Linux process, from bundles/cifar10
	@scripts/apt.sh $(EMULATOR) $(RISCV) $(COMPILER)
	@$(DEMO) -m firmware.tools.build

train: ## train CONFIG (default configs/cifar10.toml); the same command resumes an interrupted run
	@$(DEV) -m train $(CONFIG) $(ARGS)

export: ## make build/bundles/NAME from the run of CONFIG
	@$(DEV) -m export runs/$(NAME) -o build/bundles/$(NAME) $(ARGS)

bench-codec: ## accuracy of a bundle (ARGS='--bundle DIR'): 10,000 test images over the BER grid
	@$(DEV) -m benchmarks.accuracy.codec $(ARGS)

bench-adaptive: ## accuracy against air time, bytes and energy, beside boards that classify alone, hours (ARGS='--boards ...')
	@$(DEV) -m benchmarks.adaptive $(ARGS)

bench-answers: ## answer frames: lost, wrong, unsure and false answers by bit error rate, an hour
	@$(DEV) -m benchmarks.answers $(ARGS)

bench-accuracy: ## train and measure the split codecs under equal terms, hours (ARGS=--list shows what is there)
	@$(DEV) -m benchmarks.accuracy $(ARGS)

bench-general: ## a general bundle, taught classes that training never saw, beside boards, WebP and JPEG, an hour
	@$(DEV) -m benchmarks.general $(ARGS)

bench-receiver: ## the receiver at its limits, and a soak
	@$(DEV) -m benchmarks.receiver $(ARGS)

bench-gateways: ## copies of several gateways: headers lost, images combined by mistake, accuracy over LoRa, 10 minutes
	@$(DEV) -m benchmarks.gateways $(ARGS)

bench-goodput: ## the comparison over LoRa and a serial radio (first: python -m benchmarks.goodput.compressed_classifier)
	@$(DEV) -m benchmarks.goodput $(ARGS)

bench-device: ## instructions, flash and RAM of the encoder on emulated processors (BUNDLES=...)
	@scripts/apt.sh $(EMULATOR) $(RISCV)
	@$(DEMO) -m benchmarks.device $(BUNDLES) $(ARGS)

bench-preview: ## previews of bundles/general64: PSNR, SSIM, cosine, a sheet of examples (ARGS='--bundle DIR')
	@$(DEV) -m benchmarks.preview $(ARGS)

bench-store: ## the store of readings at 10,000,000: queries, rates, bytes; an hour (ARGS='--readings 100000')
	@$(DEV) -m benchmarks.store $(ARGS)

bench-soak: ## an hour of a deployment whose broker and decoders are killed at random (ARGS='--seconds 300')
	@scripts/apt.sh $(COMPILER) $(BROKER)
	@$(DEV) -m benchmarks.serve_soak $(ARGS)

bench-decode: ## packets per second of inkling decode, behind a broker, 5 minutes
	@scripts/apt.sh $(BROKER)
	@$(DEV) -m benchmarks.decode_rate $(ARGS)

results: ## write docs/RESULTS.md and docs/preview.md from benchmarks/results
	@$(DEMO) -m benchmarks.results $(ARGS)

clean: ## remove what was built here (not the caches outside the clone)
	rm -rf build .pio .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
