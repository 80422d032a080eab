package fido

import "fmt"

// Status is a CTAP status code (CTAP 2.1, 8.2).
type Status byte

// The status codes.
const (
	CTAP2_OK                          Status = 0x00
	CTAP1_ERR_INVALID_COMMAND         Status = 0x01
	CTAP1_ERR_INVALID_PARAMETER       Status = 0x02
	CTAP1_ERR_INVALID_LENGTH          Status = 0x03
	CTAP1_ERR_INVALID_SEQ             Status = 0x04
	CTAP1_ERR_TIMEOUT                 Status = 0x05
	CTAP1_ERR_CHANNEL_BUSY            Status = 0x06
	CTAP1_ERR_LOCK_REQUIRED           Status = 0x0a
	CTAP1_ERR_INVALID_CHANNEL         Status = 0x0b
	CTAP2_ERR_CBOR_UNEXPECTED_TYPE    Status = 0x11
	CTAP2_ERR_INVALID_CBOR            Status = 0x12
	CTAP2_ERR_MISSING_PARAMETER       Status = 0x14
	CTAP2_ERR_LIMIT_EXCEEDED          Status = 0x15
	CTAP2_ERR_FP_DATABASE_FULL        Status = 0x17
	CTAP2_ERR_LARGE_BLOB_STORAGE_FULL Status = 0x18
	CTAP2_ERR_CREDENTIAL_EXCLUDED     Status = 0x19
	CTAP2_ERR_PROCESSING              Status = 0x21
	CTAP2_ERR_INVALID_CREDENTIAL      Status = 0x22
	CTAP2_ERR_USER_ACTION_PENDING     Status = 0x23
	CTAP2_ERR_OPERATION_PENDING       Status = 0x24
	CTAP2_ERR_NO_OPERATIONS           Status = 0x25
	CTAP2_ERR_UNSUPPORTED_ALGORITHM   Status = 0x26
	CTAP2_ERR_OPERATION_DENIED        Status = 0x27
	CTAP2_ERR_KEY_STORE_FULL          Status = 0x28
	CTAP2_ERR_UNSUPPORTED_OPTION      Status = 0x2b
	CTAP2_ERR_INVALID_OPTION          Status = 0x2c
	CTAP2_ERR_KEEPALIVE_CANCEL        Status = 0x2d
	CTAP2_ERR_NO_CREDENTIALS          Status = 0x2e
	CTAP2_ERR_USER_ACTION_TIMEOUT     Status = 0x2f
	CTAP2_ERR_NOT_ALLOWED             Status = 0x30
	CTAP2_ERR_PIN_INVALID             Status = 0x31
	CTAP2_ERR_PIN_BLOCKED             Status = 0x32
	CTAP2_ERR_PIN_AUTH_INVALID        Status = 0x33
	CTAP2_ERR_PIN_AUTH_BLOCKED        Status = 0x34
	CTAP2_ERR_PIN_NOT_SET             Status = 0x35
	CTAP2_ERR_PUAT_REQUIRED           Status = 0x36
	CTAP2_ERR_PIN_POLICY_VIOLATION    Status = 0x37
	CTAP2_ERR_REQUEST_TOO_LARGE       Status = 0x39
	CTAP2_ERR_ACTION_TIMEOUT          Status = 0x3a
	CTAP2_ERR_UP_REQUIRED             Status = 0x3b
	CTAP2_ERR_UV_BLOCKED              Status = 0x3c
	CTAP2_ERR_INTEGRITY_FAILURE       Status = 0x3d
	CTAP2_ERR_INVALID_SUBCOMMAND      Status = 0x3e
	CTAP2_ERR_UV_INVALID              Status = 0x3f
	CTAP2_ERR_UNAUTHORIZED_PERMISSION Status = 0x40
	CTAP1_ERR_OTHER                   Status = 0x7f
)

// String is the status's name in the specification.
func (s Status) String() string {
	switch s {
	case CTAP2_OK:
		return "CTAP2_OK"
	case CTAP1_ERR_INVALID_COMMAND:
		return "CTAP1_ERR_INVALID_COMMAND"
	case CTAP1_ERR_INVALID_PARAMETER:
		return "CTAP1_ERR_INVALID_PARAMETER"
	case CTAP1_ERR_INVALID_LENGTH:
		return "CTAP1_ERR_INVALID_LENGTH"
	case CTAP1_ERR_INVALID_SEQ:
		return "CTAP1_ERR_INVALID_SEQ"
	case CTAP1_ERR_TIMEOUT:
		return "CTAP1_ERR_TIMEOUT"
	case CTAP1_ERR_CHANNEL_BUSY:
		return "CTAP1_ERR_CHANNEL_BUSY"
	case CTAP1_ERR_LOCK_REQUIRED:
		return "CTAP1_ERR_LOCK_REQUIRED"
	case CTAP1_ERR_INVALID_CHANNEL:
		return "CTAP1_ERR_INVALID_CHANNEL"
	case CTAP2_ERR_CBOR_UNEXPECTED_TYPE:
		return "CTAP2_ERR_CBOR_UNEXPECTED_TYPE"
	case CTAP2_ERR_INVALID_CBOR:
		return "CTAP2_ERR_INVALID_CBOR"
	case CTAP2_ERR_MISSING_PARAMETER:
		return "CTAP2_ERR_MISSING_PARAMETER"
	case CTAP2_ERR_LIMIT_EXCEEDED:
		return "CTAP2_ERR_LIMIT_EXCEEDED"
	case CTAP2_ERR_FP_DATABASE_FULL:
		return "CTAP2_ERR_FP_DATABASE_FULL"
	case CTAP2_ERR_LARGE_BLOB_STORAGE_FULL:
		return "CTAP2_ERR_LARGE_BLOB_STORAGE_FULL"
	case CTAP2_ERR_CREDENTIAL_EXCLUDED:
		return "CTAP2_ERR_CREDENTIAL_EXCLUDED"
	case CTAP2_ERR_PROCESSING:
		return "CTAP2_ERR_PROCESSING"
	case CTAP2_ERR_INVALID_CREDENTIAL:
		return "CTAP2_ERR_INVALID_CREDENTIAL"
	case CTAP2_ERR_USER_ACTION_PENDING:
		return "CTAP2_ERR_USER_ACTION_PENDING"
	case CTAP2_ERR_OPERATION_PENDING:
		return "CTAP2_ERR_OPERATION_PENDING"
	case CTAP2_ERR_NO_OPERATIONS:
		return "CTAP2_ERR_NO_OPERATIONS"
	case CTAP2_ERR_UNSUPPORTED_ALGORITHM:
		return "CTAP2_ERR_UNSUPPORTED_ALGORITHM"
	case CTAP2_ERR_OPERATION_DENIED:
		return "CTAP2_ERR_OPERATION_DENIED"
	case CTAP2_ERR_KEY_STORE_FULL:
		return "CTAP2_ERR_KEY_STORE_FULL"
	case CTAP2_ERR_UNSUPPORTED_OPTION:
		return "CTAP2_ERR_UNSUPPORTED_OPTION"
	case CTAP2_ERR_INVALID_OPTION:
		return "CTAP2_ERR_INVALID_OPTION"
	case CTAP2_ERR_KEEPALIVE_CANCEL:
		return "CTAP2_ERR_KEEPALIVE_CANCEL"
	case CTAP2_ERR_NO_CREDENTIALS:
		return "CTAP2_ERR_NO_CREDENTIALS"
	case CTAP2_ERR_USER_ACTION_TIMEOUT:
		return "CTAP2_ERR_USER_ACTION_TIMEOUT"
	case CTAP2_ERR_NOT_ALLOWED:
		return "CTAP2_ERR_NOT_ALLOWED"
	case CTAP2_ERR_PIN_INVALID:
		return "CTAP2_ERR_PIN_INVALID"
	case CTAP2_ERR_PIN_BLOCKED:
		return "CTAP2_ERR_PIN_BLOCKED"
	case CTAP2_ERR_PIN_AUTH_INVALID:
		return "CTAP2_ERR_PIN_AUTH_INVALID"
	case CTAP2_ERR_PIN_AUTH_BLOCKED:
		return "CTAP2_ERR_PIN_AUTH_BLOCKED"
	case CTAP2_ERR_PIN_NOT_SET:
		return "CTAP2_ERR_PIN_NOT_SET"
	case CTAP2_ERR_PUAT_REQUIRED:
		return "CTAP2_ERR_PUAT_REQUIRED"
	case CTAP2_ERR_PIN_POLICY_VIOLATION:
		return "CTAP2_ERR_PIN_POLICY_VIOLATION"
	case CTAP2_ERR_REQUEST_TOO_LARGE:
		return "CTAP2_ERR_REQUEST_TOO_LARGE"
	case CTAP2_ERR_ACTION_TIMEOUT:
		return "CTAP2_ERR_ACTION_TIMEOUT"
	case CTAP2_ERR_UP_REQUIRED:
		return "CTAP2_ERR_UP_REQUIRED"
	case CTAP2_ERR_UV_BLOCKED:
		return "CTAP2_ERR_UV_BLOCKED"
	case CTAP2_ERR_INTEGRITY_FAILURE:
		return "CTAP2_ERR_INTEGRITY_FAILURE"
	case CTAP2_ERR_INVALID_SUBCOMMAND:
		return "CTAP2_ERR_INVALID_SUBCOMMAND"
	case CTAP2_ERR_UV_INVALID:
		return "CTAP2_ERR_UV_INVALID"
	case CTAP2_ERR_UNAUTHORIZED_PERMISSION:
		return "CTAP2_ERR_UNAUTHORIZED_PERMISSION"
	case CTAP1_ERR_OTHER:
		return "CTAP1_ERR_OTHER"
	}
	switch {
	case s >= 0xe0 && s <= 0xef:
		return "CTAP2_ERR_EXTENSION"
	case s >= 0xf0:
		return "CTAP2_ERR_VENDOR"
	}
	return "CTAP status"
}

// Authenticator API commands that this package sends (CTAP 2.1, 6).
const (
	authenticatorMakeCredential       = 0x01
	authenticatorGetAssertion         = 0x02
	authenticatorGetInfo              = 0x04
	authenticatorClientPIN            = 0x06
	authenticatorGetNextAssertion     = 0x08
	authenticatorCredentialManagement = 0x0a
	authenticatorSelection            = 0x0b
	// The command that FIDO_2_1_PRE has for authenticatorCredentialManagement.
	prototypeCredentialManagement = 0x41
)

func commandName(c byte) string {
	switch c {
	case authenticatorMakeCredential:
		return "authenticatorMakeCredential"
	case authenticatorGetAssertion:
		return "authenticatorGetAssertion"
	case authenticatorGetNextAssertion:
		return "authenticatorGetNextAssertion"
	case authenticatorCredentialManagement, prototypeCredentialManagement:
		return "authenticatorCredentialManagement"
	case authenticatorGetInfo:
		return "authenticatorGetInfo"
	case authenticatorClientPIN:
		return "authenticatorClientPIN"
	case authenticatorSelection:
		return "authenticatorSelection"
	}
	return fmt.Sprintf("CTAP command 0x%02X", c)
}
