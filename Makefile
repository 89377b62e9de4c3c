# Inkling. `make help` lists the targets; each does its own set-up.

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz lint firmware train export bench bench-link bench-device bench-accuracy goodput results clean

EMULATOR := gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm
RISCV := gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc
COMPILER := gcc g++ libc6-dev
TFLM := libstdc++-arm-none-eabi-newlib
FUZZER := clang-14 libclang-rt-14-dev
CONFIG ?= configs/cifar10.toml
NAME := $(basename $(notdir $(CONFIG)))
ARGS ?=
BUNDLES ?=
MINUTES ?= 30

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: ## CIFAR-10 pictures through an emulated STM32 over a noisy line (ARGS=--help shows options)
	@scripts/apt.sh $(EMULATOR)
	@python=$$(scripts/python.sh requirements-demo.txt) && "$$python" -m benchmarks.demo $(ARGS)

test: ## lint and all tests, the emulated boards among them
	@scripts/apt.sh $(EMULATOR) $(TFLM) $(RISCV) $(COMPILER) $(FUZZER)
	@python=$$(scripts/python.sh requirements.txt) && "$$python" -m ruff check . && "$$python" -m pytest $(ARGS)

fuzz: ## fuzz the firmware and the receiver for MINUTES (30) each; what is found stays in build/fuzz
	@scripts/apt.sh $(COMPILER) $(FUZZER)
	@python=$$(scripts/python.sh requirements.txt) && "$$python" -m tests.fuzz --minutes $(MINUTES) $(ARGS)

lint: ## ruff alone
	@python=$$(scripts/python.sh requirements.txt) && "$$python" -m ruff check .

firmware: ## build the emulated boards' firmware and the native one from bundles/cifar10
	@scripts/apt.sh $(EMULATOR) $(RISCV) $(COMPILER)
	@python=$$(scripts/python.sh requirements-demo.txt) && "$$python" -m firmware.tools.build

train: ## train CONFIG (default configs/cifar10.toml); interrupt it at will, the same command goes on
	@python=$$(scripts/python.sh requirements.txt) && "$$python" -m train $(CONFIG) $(ARGS)

export: ## make build/bundles/NAME from the run of CONFIG
	@python=$$(scripts/python.sh requirements.txt) && "$$python" -m export runs/$(NAME) -o build/bundles/$(NAME) $(ARGS)

bench: ## the accuracy figures of docs/RESULTS.md: 10,000 test images over the BER grid
	@python=$$(scripts/python.sh requirements.txt) && "$$python" -m benchmarks.accuracy.codec $(ARGS)

bench-link: build/bench/codec.json ## the receiver at its limits, on a noisy line and in a soak: build/bench/link.json
	@python=$$(scripts/python.sh requirements.txt) && "$$python" -m benchmarks.receiver $(ARGS)

build/bench/codec.json:
	@$(MAKE) bench ARGS=

bench-device: ## the encoder's instructions, flash and RAM on emulated processors: build/bench/device.json (BUNDLES=...)
	@scripts/apt.sh $(EMULATOR) $(RISCV)
	@python=$$(scripts/python.sh requirements-demo.txt) && "$$python" -m benchmarks.device $(BUNDLES) $(ARGS)

bench-accuracy: ## train and measure the systems under equal terms, hours: benchmarks/results (ARGS=--list shows what is there)
	@python=$$(scripts/python.sh requirements.txt) && "$$python" -m benchmarks.accuracy $(ARGS)

goodput: ## the comparison over LoRa and a serial radio (JPEG, WebP: python -m benchmarks.goodput.compressed_classifier first)
	@python=$$(scripts/python.sh requirements.txt) && "$$python" -m benchmarks.goodput $(ARGS)

results: ## write docs/RESULTS.md from the figures of make bench, bench-link, bench-device, bench-accuracy, goodput and demo
	@python=$$(scripts/python.sh requirements-demo.txt) && "$$python" -m benchmarks.results $(ARGS)

clean: ## remove what was built here (not the caches outside the clone)
	rm -rf build .pio .pytest_cache .ruff_cache
