"""Table formats: each keeps the raw text of its records, so that rows can be copied without being rewritten."""
