SHELL := bash
.DEFAULT_GOAL := help
BIN := .bin
GOLANGCI := v2.15.0
GOFUMPT := v0.12.0
GOVULNCHECK := v1.9.0
NFPM := v2.45.0
CYCLONEDX := v1.10.0
ACTIONLINT := v1.7.7
FUZZTIME ?= 20s
export GOFLAGS ?=

.PHONY: help run build tray test e2e playwright bench fuzz lint fmt dist clean

help: ## what can be made here
	@awk -F':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## build, start the daemon on the embedded default, show the verdicts
	@scripts/need build
	@echo "building (the first time takes a minute or two)"
	@$(MAKE) --no-print-directory build
	@scripts/run

build: ## bin/authbridge
	@go build -trimpath -ldflags "-s -w -X main.version=$$(scripts/version)" -o bin/authbridge ./cmd/authbridge

tray: ## bin/authbridge-tray
	@CGO_ENABLED=$$([ "$$(uname -s)" = Darwin ] && echo 1 || echo 0) go build -trimpath -ldflags "-s -w -X main.version=$$(scripts/version)" -o bin/authbridge-tray ./cmd/authbridge-tray

test: ## all tests with -race, a real pcscd among them; then the pure ones without cgo
	@scripts/need build test
	go vet ./...
	go test -race -timeout 15m ./...
	CGO_ENABLED=0 go test -timeout 10m ./agent/... ./pcsc/... ./fido/... ./platform/... ./cmd/...
	@scripts/cross

e2e: ## the tests that need a kernel of their own, in QEMU (90 s to build it the first time), those with a browser, with a desktop, and under Wine
	@scripts/need build test e2e browser desktop dist
	go test -tags e2e -p 1 -count=1 -timeout 40m -v ./e2e/...

playwright: ## the tests of the Playwright package, in Chromium
	@scripts/need browser
	cd clients/playwright && npm ci && npm test
	@! grep -rnE 'CDPSession|WebAuthn\.' clients/playwright/src clients/playwright/e2e

bench: ## the figures of docs/performance.md, beside the Debian peers, as ratios of one run
	@scripts/need build test bench browser
	scripts/bench

fuzz: ## every fuzz target for FUZZTIME (20s) each
	@scripts/need build
	scripts/fuzz $(FUZZTIME)

lint: $(BIN)/golangci-lint $(BIN)/gofumpt $(BIN)/govulncheck $(BIN)/actionlint ## format, linters with the import arrows, tidy go.mod, workflows, known vulnerabilities
	@scripts/need build
	@test -z "$$($(BIN)/gofumpt -l .)" || { $(BIN)/gofumpt -l .; echo "not formatted: make fmt"; exit 1; }
	$(BIN)/golangci-lint run ./...
	GOOS=windows CGO_ENABLED=0 $(BIN)/golangci-lint run ./...
	go mod tidy -diff
	$(BIN)/actionlint .github/workflows/*.yml
	scripts/vulncheck $(BIN)/govulncheck

fmt: $(BIN)/gofumpt ## format all Go files
	$(BIN)/gofumpt -l -w .

dist: $(BIN)/nfpm $(BIN)/cyclonedx-gomod ## packages in dist/: deb, rpm, tar.gz, zip, MSI, with their sums and SBOMs
	@scripts/need build dist
	@installer/build

clean: ## remove what was built
	rm -rf bin dist $(BIN) e2e/*/.cache e2e/page/node_modules clients/playwright/node_modules clients/playwright/dist clients/playwright/test-results

$(BIN)/golangci-lint:
	GOBIN=$(CURDIR)/$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)
$(BIN)/gofumpt:
	GOBIN=$(CURDIR)/$(BIN) go install mvdan.cc/gofumpt@$(GOFUMPT)
$(BIN)/govulncheck:
	GOBIN=$(CURDIR)/$(BIN) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK)
$(BIN)/nfpm:
	GOBIN=$(CURDIR)/$(BIN) go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM)
$(BIN)/cyclonedx-gomod:
	GOBIN=$(CURDIR)/$(BIN) go install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX)
$(BIN)/actionlint:
	GOBIN=$(CURDIR)/$(BIN) go install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT)
