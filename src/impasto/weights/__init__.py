"""Where network weights come from. Import names from the module that states them."""
