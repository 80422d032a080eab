package vkey

import "fmt"

// CTAPHID commands (CTAP 2.1, 11.2.9), without the bit that marks an
// initialization packet.
const (
	CTAPHID_PING      = 0x01
	CTAPHID_MSG       = 0x03
	CTAPHID_LOCK      = 0x04
	CTAPHID_INIT      = 0x06
	CTAPHID_WINK      = 0x08
	CTAPHID_CBOR      = 0x10
	CTAPHID_CANCEL    = 0x11
	CTAPHID_KEEPALIVE = 0x3b
	CTAPHID_ERROR     = 0x3f
)

// Capability flags of the CTAPHID_INIT answer (CTAP 2.1, 11.2.9.1.3).
const (
	CAPABILITY_WINK = 0x01
	CAPABILITY_CBOR = 0x04
	CAPABILITY_NMSG = 0x08
)

// CTAPHID_ERROR codes (CTAP 2.1, 11.2.9.1.6).
const (
	ERR_INVALID_CMD     = 0x01
	ERR_INVALID_PAR     = 0x02
	ERR_INVALID_LEN     = 0x03
	ERR_INVALID_SEQ     = 0x04
	ERR_MSG_TIMEOUT     = 0x05
	ERR_CHANNEL_BUSY    = 0x06
	ERR_LOCK_REQUIRED   = 0x0a
	ERR_INVALID_CHANNEL = 0x0b
	ERR_OTHER           = 0x7f
)

// CTAPHID_KEEPALIVE status codes (CTAP 2.1, 11.2.9.1.7).
const (
	STATUS_PROCESSING = 1
	STATUS_UPNEEDED   = 2
)

// Authenticator API commands (CTAP 2.1, 6).
const (
	authenticatorMakeCredential       = 0x01
	authenticatorGetAssertion         = 0x02
	authenticatorGetInfo              = 0x04
	authenticatorClientPIN            = 0x06
	authenticatorReset                = 0x07
	authenticatorGetNextAssertion     = 0x08
	authenticatorCredentialManagement = 0x0a
	authenticatorSelection            = 0x0b
	// The prototype of authenticatorCredentialManagement that FIDO_2_1_PRE
	// stands for (CTAP 2.1, 6.13); libfido2 before 1.15 knows no other.
	authenticatorCredentialManagementPreview = 0x41
)

// Subcommands of authenticatorClientPIN (CTAP 2.1, 6.5.5).
const (
	getPINRetries                            = 0x01
	getKeyAgreement                          = 0x02
	setPIN                                   = 0x03
	changePIN                                = 0x04
	getPinToken                              = 0x05
	getPinUvAuthTokenUsingPinWithPermissions = 0x09
)

// status is a CTAP status code (CTAP 2.1, 8.2); an error unless CTAP2_OK.
type status byte

// The status codes that this key gives.
const (
	CTAP2_OK                          status = 0x00
	CTAP1_ERR_INVALID_COMMAND         status = 0x01
	CTAP1_ERR_INVALID_PARAMETER       status = 0x02
	CTAP1_ERR_INVALID_LENGTH          status = 0x03
	CTAP2_ERR_CBOR_UNEXPECTED_TYPE    status = 0x11
	CTAP2_ERR_INVALID_CBOR            status = 0x12
	CTAP2_ERR_MISSING_PARAMETER       status = 0x14
	CTAP2_ERR_LIMIT_EXCEEDED          status = 0x15
	CTAP2_ERR_CREDENTIAL_EXCLUDED     status = 0x19
	CTAP2_ERR_UNSUPPORTED_ALGORITHM   status = 0x26
	CTAP2_ERR_OPERATION_DENIED        status = 0x27
	CTAP2_ERR_KEY_STORE_FULL          status = 0x28
	CTAP2_ERR_UNSUPPORTED_OPTION      status = 0x2b
	CTAP2_ERR_INVALID_OPTION          status = 0x2c
	CTAP2_ERR_KEEPALIVE_CANCEL        status = 0x2d
	CTAP2_ERR_NO_CREDENTIALS          status = 0x2e
	CTAP2_ERR_USER_ACTION_TIMEOUT     status = 0x2f
	CTAP2_ERR_NOT_ALLOWED             status = 0x30
	CTAP2_ERR_PIN_INVALID             status = 0x31
	CTAP2_ERR_PIN_BLOCKED             status = 0x32
	CTAP2_ERR_PIN_AUTH_INVALID        status = 0x33
	CTAP2_ERR_PIN_AUTH_BLOCKED        status = 0x34
	CTAP2_ERR_PIN_NOT_SET             status = 0x35
	CTAP2_ERR_PUAT_REQUIRED           status = 0x36
	CTAP2_ERR_PIN_POLICY_VIOLATION    status = 0x37
	CTAP2_ERR_REQUEST_TOO_LARGE       status = 0x39
	CTAP2_ERR_INVALID_SUBCOMMAND      status = 0x3e
	CTAP2_ERR_UNAUTHORIZED_PERMISSION status = 0x40
	CTAP1_ERR_OTHER                   status = 0x7f
)

func (s status) Error() string { return fmt.Sprintf("CTAP status 0x%02X", byte(s)) }
