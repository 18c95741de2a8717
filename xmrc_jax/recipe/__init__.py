"""The paper's recipe: from a configuration to readers in a working folder, and their scores."""
