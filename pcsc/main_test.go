package pcsc

import (
	"testing"

	"authbridge/e2e/pcscd"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	pcscd.Enter()
	goleak.VerifyTestMain(m)
}
