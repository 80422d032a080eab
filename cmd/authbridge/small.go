package main

import "github.com/spf13/cobra"

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which version this is", Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) { c.Println(version) },
	}
}

func newConfig() *cobra.Command {
	config := &cobra.Command{Use: "config", Short: "Check a configuration"}
	config.AddCommand(&cobra.Command{
		Use: "check FILE", Short: "Say all that is wrong with a configuration file", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			_, _, err := loadConfig(args[0])
			return err
		},
	})
	return config
}
